import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { parseEgressAllow } from './platform/egress/index.ts';
import { ConfigError, loadConfig, Secret, variables, type Config } from './config.ts';

const CANARY = 'canary-5f2e';
const KEY = 'ab'.repeat(32);

type Name = keyof typeof variables;

/** A setting as something comparable. */
const plain = (value: unknown): unknown =>
  value instanceof Secret ? { secret: value.reveal() } : value instanceof URL ? value.href : value;

const secret = (text: string) => ({ secret: text });

/** Per variable: what it is without a value, texts with what they are read as, and texts that are refused. */
const cases: Record<Name, { absent: unknown; good: [string, unknown][]; wrong: string[] }> = {
  port: {
    absent: 7004,
    good: [
      ['0', 0],
      ['65535', 65_535],
      [' 80 ', 80],
    ],
    wrong: ['65536', '-1', '1.5', '1e3', '0x50', 'http', 'tcp://10.0.0.1:7004'],
  },
  host: {
    absent: '127.0.0.1',
    good: [
      ['0.0.0.0', '0.0.0.0'],
      ['::', '::'],
      ['localhost', 'localhost'],
    ],
    wrong: ['http://localhost', 'localhost:80', '[::]', 'a b', '*'],
  },
  publicUrl: {
    absent: undefined,
    good: [
      ['https://hub.example.com', 'https://hub.example.com/'],
      ['http://localhost:7004/', 'http://localhost:7004/'],
    ],
    wrong: [
      'hub.example.com',
      'ftp://hub.example.com',
      'https://hub.example.com/path',
      'https://hub.example.com/?q',
      'https://hub.example.com/#f',
      'https://user@hub.example.com',
      `https://:${CANARY}@hub.example.com`,
    ],
  },
  allowedHosts: {
    absent: [],
    good: [
      ['a', ['a']],
      [' Hub.Internal , b,, ', ['hub.internal', 'b']],
    ],
    wrong: ['a:80', 'http://a', 'a b', 'a,-b', '*'],
  },
  dataDir: {
    absent: resolve('.linkspan'),
    good: [
      ['/var/lib/linkspan', '/var/lib/linkspan'],
      ['data/../here', resolve('here')],
      ['~/hub', `${homedir()}/hub`],
    ],
    wrong: [`a\0${CANARY}`],
  },
  databaseUrl: {
    absent: undefined,
    good: [
      'postgres://u:p@db:5432/linkspan',
      'postgresql://db/linkspan?sslmode=require',
      'postgres:///linkspan?host=/run/postgresql',
    ].map((text) => [text, secret(text)]),
    wrong: [CANARY, `mysql://u:${CANARY}@db/x`, `postgres://u:${CANARY}@db`, `postgres://u:${CANARY}@db/`],
  },
  databaseWait: { absent: 15, good: [['0', 0], ['3600', 3_600]], wrong: ['3601', '-1', '1m'] }, // prettier-ignore
  adminToken: {
    absent: undefined,
    good: [CANARY.repeat(3), 'x'.repeat(512)].map((text) => [text, secret(text)]),
    wrong: [CANARY, 'x'.repeat(31), 'x'.repeat(513), `${CANARY} `.repeat(4), `${CANARY}é`.repeat(4)],
  },
  masterKey: {
    absent: undefined,
    good: [KEY, Buffer.from(KEY, 'hex').toString('base64')].map((text) => [text, secret(text)]),
    wrong: [
      CANARY,
      `${KEY}0`,
      KEY.slice(2),
      `${KEY.slice(1)}-`,
      `${'A'.repeat(42)}B=`,
      `${CANARY}${'!'.repeat(33)}`,
    ],
  },
  egressAllow: {
    absent: [],
    good: [['crm.internal:8443', parseEgressAllow('crm.internal:8443')]],
    wrong: ['http://crm.internal', '10.0.0.0/99', 'a b'],
  },
  tenantCallsPerDay: { absent: 50_000_000, good: [['1', 1]], wrong: ['0', '-1', 'many'] },
  tenantUnfinished: { absent: 1_000_000, good: [['10', 10]], wrong: ['0', '1.5'] },
  tenantStoredMegabytes: { absent: 51_200, good: [['1', 1]], wrong: ['0', '1G'] },
  logLevel: {
    absent: 'info',
    good: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].map((text) => [text, text]),
    wrong: ['INFO', 'verbose', '30'],
  },
  shutdownGrace: { absent: 25, good: [['0', 0], ['3600', 3_600]], wrong: ['3601', '-1', '25s'] }, // prettier-ignore
};

function faultsOf(env: Record<string, string>): string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.split('\n');
  }
}

describe('the configuration', () => {
  for (const [key, { absent, good, wrong }] of Object.entries(cases) as [Name, (typeof cases)[Name]][]) {
    const { name, example } = variables[key];

    it(`reads ${name}`, () => {
      assert.deepEqual(plain(loadConfig({})[key]), absent);
      for (const empty of ['', '  ']) assert.deepEqual(plain(loadConfig({ [name]: empty })[key]), absent);
      for (const [text, value] of good)
        assert.deepEqual(plain(loadConfig({ [name]: text })[key]), value, text);
    });

    it(`refuses a wrong ${name} with its name, the rule and an example, and does not repeat it`, () => {
      for (const text of wrong) {
        const faults = faultsOf({ [name]: text });
        assert.equal(faults.length, 1, text);
        assert.match(faults[0] ?? '', new RegExp(`^${name} must be .+\\. Example: ${name}=`));
        assert.ok(faults[0]?.endsWith(`=${example}`));
        assert.ok(!faults[0]?.slice(0, -example.length).includes(` ${text}`), text);
        assert.ok(!faults[0]?.includes('canary'));
      }
    });
  }

  it('gives an example that is right, except where it only tells how to make one', () => {
    for (const { name, example } of Object.values(variables)) {
      if (!example.startsWith('the output of')) assert.deepEqual(faultsOf({ [name]: example }), []);
    }
  });

  it('names all that is wrong at once', () => {
    const env = Object.fromEntries(
      (Object.keys(cases) as Name[]).map((key) => [variables[key].name, cases[key].wrong[0] ?? '']),
    );
    const faults = faultsOf({ ...env, LINKSPAN_PROT: '1' });
    const named = faults.map((fault) => fault.split(' ')[0]);
    assert.deepEqual(new Set(named), new Set([...Object.keys(env), 'LINKSPAN_PROT']));
    assert.equal(faults.length, Object.keys(cases).length + 1);
  });

  it('finds misspelt names, and quotes no value', () => {
    const slips = {
      LINKSPAN_PROT: 'LINKSPAN_PORT',
      LINKSPAN_PRT: 'LINKSPAN_PORT',
      LINKSPAN_POORT: 'LINKSPAN_PORT',
      LINKSPAN_PORT_: 'LINKSPAN_PORT',
      linkspan_port: 'LINKSPAN_PORT',
      LINKSPAN_HOSTS: 'LINKSPAN_HOST',
      LINKSPAN_ALLOWED_HOST: 'LINKSPAN_ALLOWED_HOSTS',
      LINKSPAN_DATABASEURL: 'LINKSPAN_DATABASE_URL',
      LINKSPAN_DATABASE_URI: 'LINKSPAN_DATABASE_URL',
      LINKSPAN_MASTER_KEYS: 'LINKSPAN_MASTER_KEY',
      LINKSPAM_ADMIN_TOKEN: 'LINKSPAN_ADMIN_TOKEN',
    };
    for (const [slip, meant] of Object.entries(slips)) {
      const expected = `${slip} is not a variable of the hub. Did you mean ${meant}?`;
      assert.deepEqual(faultsOf({ [slip]: CANARY }), [expected]);
    }
  });

  it('leaves names alone that are nobody’s mistake', () => {
    const others = [
      'PATH',
      'PORT',
      'LINKSPAN',
      'LINKSPAN_TEST_DATABASE_URL',
      'LINKSPAN_SERVICE_HOST',
      'HOST',
    ];
    assert.deepEqual(faultsOf(Object.fromEntries(others.map((name) => [name, 'x']))), []);
  });

  it('keeps secrets to itself', () => {
    const config: Config = loadConfig({
      LINKSPAN_DATABASE_URL: `postgres://u:${CANARY}@db/x`,
      LINKSPAN_ADMIN_TOKEN: CANARY.repeat(3),
      LINKSPAN_MASTER_KEY: KEY,
    });
    const texts = [
      JSON.stringify(config),
      inspect(config, { showHidden: true, depth: 9, getters: true }),
      Object.values<unknown>(config).map(String).join(),
    ];
    for (const text of texts) assert.doesNotMatch(text, /canary|abab/);
    assert.equal(config.masterKey?.reveal(), KEY);
  });

  it('tells of every variable what it is for', () => {
    const all = Object.values(variables);
    assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
    for (const { name, help } of all) {
      assert.match(name, /^LINKSPAN_[A-Z]+(?:_[A-Z]+)*$/);
      assert.match(help, /^[A-Z].{20,}\.$/);
    }
  });
});
