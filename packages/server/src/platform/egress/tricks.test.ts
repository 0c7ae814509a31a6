import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { maySent } from './index.ts';
import { errorOf, openEgress, serve, type Names } from './test-support.ts';

/**
 * Ways to talk a hub into calling what is on its own machine or network. Each is tried against a server that really
 * listens there; `PORT` is its port.
 */

const PRIVATE: Names = {
  localhost: [['127.0.0.1', '::1']],
  'localhost.localdomain': [['127.0.0.1']],
  'app.localhost': [['127.0.0.1']],
  'inside.example': [['127.0.0.1']],
  'inside6.example': [['::1']],
  'mapped.example': [['::ffff:127.0.0.1']],
  'translated.example': [['64:ff9b::7f00:1']],
  'mixed.example': [['203.0.113.1', '127.0.0.1']],
  'mixed-public.example': [['8.8.8.8', '127.0.0.1']],
  'mixed-late.example': [['127.0.0.1', '8.8.8.8']],
  'zone.example': [['fe80::1%lo']],
  'odd.example': [['0x7f.1']],
  'number.example': [['2130706433']],
  'name.example': [['localhost']],
  'any.example': [['0.0.0.0']],
  'any6.example': [['::']],
  'xn--bcher-kva.example': [['127.0.0.1']],
  'metadata.google.internal': [['8.8.8.8']],
  'metadata.goog': [['8.8.8.8']],
  'instance-data': [['8.8.8.8']],
};

const REFUSED = [
  // Plain.
  'http://127.0.0.1:PORT/',
  'http://127.0.0.2:PORT/',
  'http://127.255.255.254:PORT/',
  'http://[::1]:PORT/',
  'http://0.0.0.0:PORT/',
  'http://[::]:PORT/',
  'HTTP://127.0.0.1:PORT/',
  'https://127.0.0.1:PORT/',
  'http://localhost:PORT/',
  'http://LOCALHOST:PORT/',
  'http://localhost.:PORT/',
  'http://127.0.0.1.:PORT/',
  'http://app.localhost:PORT/',
  'http://localhost.localdomain:PORT/',
  // IPv6 that means IPv4.
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://[::ffff:7f00:1]:PORT/',
  'http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/',
  'http://[::127.0.0.1]:PORT/',
  'http://[::ffff:0:127.0.0.1]:PORT/',
  'http://[64:ff9b::127.0.0.1]:PORT/',
  'http://[64:ff9b:1::7f00:1]:PORT/',
  'http://[2002:7f00:1::]:PORT/',
  'http://[2001:0:7f00:1::]:PORT/',
  'http://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT/',
  // Networks around.
  'http://10.0.0.1/',
  'http://172.16.0.1/',
  'http://192.168.0.1/',
  'http://100.64.0.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/latest/',
  'http://[fe80::1]/',
  'http://224.0.0.1/',
  'http://255.255.255.255/',
  'http://168.63.129.16/',
  // What the name service says.
  'http://inside.example:PORT/',
  'http://inside6.example:PORT/',
  'http://INSIDE.EXAMPLE.:PORT/',
  'http://mapped.example:PORT/',
  'http://translated.example:PORT/',
  'http://mixed.example:PORT/',
  'http://mixed-public.example:PORT/',
  'http://mixed-late.example:PORT/',
  'http://zone.example:PORT/',
  'http://odd.example:PORT/',
  'http://number.example:PORT/',
  'http://name.example:PORT/',
  'http://any.example:PORT/',
  'http://any6.example:PORT/',
  'http://bücher.example:PORT/',
  'http://ｌｏｃａｌｈｏｓｔ:PORT/',
  'http://%6cocalhost:PORT/',
  'http://metadata.google.internal/computeMetadata/v1/',
  'http://METADATA.GOOG/',
  'http://instance-data/',
  'http://8.8.8.8:25/',
];

const BAD = [
  // Numbers that only become an address when read.
  'http://2130706433:PORT/',
  'http://0x7f000001:PORT/',
  'http://017700000001:PORT/',
  'http://0177.0.0.1:PORT/',
  'http://0x7f.0.0.1:PORT/',
  'http://127.1:PORT/',
  'http://127.0.1:PORT/',
  'http://0:PORT/',
  'http://00000177.0.0.1:PORT/',
  'http://0x7f.1:PORT/',
  'http://１２７.0.0.1:PORT/',
  'http://①②⑦.0.0.1:PORT/',
  'http://127。0。0。1:PORT/',
  'http://%31%32%37.0.0.1:PORT/',
  'http://127.0.0.0x1:PORT/',
  'http://134744072/',
  'http://256.256.256.256:PORT/',
  'http://127.0.0.1.0:PORT/',
  // Users, slashes, spaces.
  'http://user@127.0.0.1:PORT/',
  'http://user:pass@example.com/',
  'http://example.com@127.0.0.1:PORT/',
  'http://@127.0.0.1:PORT/',
  'http://:@127.0.0.1:PORT/',
  'http://example.com\\@127.0.0.1:PORT/',
  'http:\\\\127.0.0.1:PORT/',
  'http://example.com\\.inside.example:PORT/',
  'http:/127.0.0.1:PORT/',
  'http:127.0.0.1:PORT/',
  'http:///127.0.0.1:PORT/',
  '//127.0.0.1:PORT/',
  ' http://127.0.0.1:PORT/',
  'http://127.0.0.1:PORT/\n',
  'ht\ntp://127.0.0.1:PORT/',
  'http://127.0.0.1\t:PORT/',
  'http://127.0.0.1:PORT/\r\nHost: x',
  'http://exam ple.com/',
  'http://example.com%00.evil/',
  'http://example.com%2f@127.0.0.1:PORT/',
  'http://127.0.0.1%23.example.com/',
  // Hosts that are none.
  'http://[fe80::1%25lo]:PORT/',
  'http://[fe80::1%lo]:PORT/',
  'http://[::1%25lo]:PORT/',
  'http://[127.0.0.1]:PORT/',
  'http://[v1.127.0.0.1]:PORT/',
  'http://localhost..:PORT/',
  'http://.localhost:PORT/',
  'http://a..b:PORT/',
  'http://127.0.0.1:0/',
  'http://127.0.0.1:65536/',
  'http://127.0.0.1:PORT@/',
  'http://',
  '',
  // Other ways out.
  'file:///etc/passwd',
  'ftp://127.0.0.1:PORT/',
  'gopher://127.0.0.1:PORT/_x',
  'unix:/var/run/docker.sock',
  'http+unix://%2Fvar%2Frun%2Fdocker.sock/info',
  'ws://127.0.0.1:PORT/',
  'data:text/plain,x',
  'blob:http://127.0.0.1:PORT/x',
  'javascript:1',
  'view-source:http://127.0.0.1:PORT/',
];

/** Read as a host that does not exist. */
const UNKNOWN = [
  'http://unix:/var/run/docker.sock:/info',
  'http://localhost%2eexample/',
  'http://file/etc/passwd',
];

describe('tricks', () => {
  const expected = [
    ...UNKNOWN.map((url) => [url, 'egress_dns_failed'] as const),
    ...REFUSED.map((url) => [url, 'egress_refused'] as const),
    ...BAD.map((url) => [url, 'egress_bad_url'] as const),
  ];
  for (const [url, code] of expected)
    it(`${JSON.stringify(url)} is ${code}`, async (t) => {
      const four = await serve(t, (_, response) => response.end('secret'));
      const egress = openEgress(t, { names: PRIVATE });
      const error = await errorOf(egress.request({ url: url.replace('PORT', String(four.port)) }));
      assert.equal(error.code, code, error.message);
      assert.equal(maySent(error), false);
      assert.equal(four.connections(), 0);
    });

  it('fail because of the guard alone: allowed, the same server answers', async (t) => {
    const { port } = await serve(t, (_, response) => response.end('secret'));
    const egress = openEgress(t, { names: PRIVATE, allow: '127.0.0.0/8' });
    for (const host of [
      '127.0.0.1',
      'localhost',
      'inside.example',
      'INSIDE.EXAMPLE.',
      'ｌｏｃａｌｈｏｓｔ',
      'bücher.example',
    ]) {
      const { body } = await egress.request({ url: `http://${host}:${port}/` });
      assert.equal(await body.text(), 'secret', host);
    }
  });

  it('sockets take no trick either', async (t) => {
    const { port, connections } = await serve(t, (_, response) => response.end());
    const egress = openEgress(t, { names: PRIVATE });
    const refused = [
      '127.0.0.1',
      '::1',
      'localhost',
      'LOCALHOST.',
      'inside.example',
      '::ffff:127.0.0.1',
      '0.0.0.0',
    ];
    for (const host of refused)
      assert.equal((await errorOf(egress.connect({ host, port }))).code, 'egress_refused', host);
    for (const host of [
      '127.1',
      '0x7f000001',
      '2130706433',
      '[::1]',
      'a@localhost',
      'localhost/',
      '/tmp/socket',
      '::1%lo',
      '',
    ])
      assert.equal((await errorOf(egress.connect({ host, port }))).code, 'egress_bad_url', host);
    for (const wrong of [0, -1, 65_536, 1.5, Number.NaN])
      assert.equal(
        (await errorOf(egress.connect({ host: '127.0.0.1', port: wrong }))).code,
        'egress_bad_url',
      );
    assert.equal(connections(), 0);
  });
});

describe('the name service', () => {
  it('is asked once for a connection, so a second answer cannot differ', async (t) => {
    const { port } = await serve(t, (_, response) => response.end('ok'));
    const egress = openEgress(t, {
      allow: `rebind.example:${port}`,
      names: { 'rebind.example': [['127.0.0.1'], ['127.0.0.9']] },
    });
    assert.equal((await egress.request({ url: `http://rebind.example:${port}/` })).status, 200);
    assert.deepEqual(egress.asked, ['rebind.example']);
  });

  it('is checked again for every new connection', async (t) => {
    const { port, connections } = await serve(t, (_, response) => {
      response.setHeader('connection', 'close');
      response.end('ok');
    });
    const decisions: string[] = [];
    const egress = openEgress(t, {
      // Stands for a public address: the first answer passes, the one after it is the machine itself.
      rules: {
        realm: () => '',
        decide({ address }) {
          decisions.push(address);
          return address === '127.0.0.1'
            ? { allowed: true, by: 'public' }
            : { allowed: false, reason: 'loopback' };
        },
      },
      names: { 'rebind.example': [['127.0.0.1'], ['127.0.0.9']] },
    });
    const url = `http://rebind.example:${port}/`;
    assert.equal(await (await egress.request({ url })).body.text(), 'ok');
    assert.equal((await errorOf(egress.request({ url }))).code, 'egress_refused');
    assert.deepEqual(decisions, ['127.0.0.1', '127.0.0.9']);
    assert.equal(connections(), 1);
  });

  it('is not asked again while a connection lives', async (t) => {
    const { port, connections } = await serve(t, (_, response) => response.end('ok'));
    const egress = openEgress(t, { allow: 'kept.example', names: { 'kept.example': [['127.0.0.1']] } });
    for (let i = 0; i < 5; i++) {
      await (await egress.request({ url: `http://kept.example:${port}/${i}` })).body.text();
      // A connection is free again one turn of the event loop after its answer.
      await setImmediate();
    }
    assert.deepEqual(egress.asked, ['kept.example']);
    assert.equal(connections(), 1);
  });

  it('may answer with an address that is not allowed beside one that was allowed on purpose', async (t) => {
    const { port } = await serve(t, (_, response) => response.end('ok'));
    const egress = openEgress(t, { allow: '127.0.0.1', names: { localhost: [['::1', '127.0.0.1']] } });
    assert.equal((await egress.request({ url: `http://localhost:${port}/` })).status, 200);
  });

  it('tries the next address when one does not answer', async (t) => {
    const { port } = await serve(t, (_, response) => response.end('ok'));
    const egress = openEgress(t, { allow: 'two.example', names: { 'two.example': [['::1', '127.0.0.1']] } });
    assert.equal((await egress.request({ url: `http://two.example:${port}/` })).status, 200);
  });

  it('has no answer: nothing was sent, and the error says for which name', async (t) => {
    const egress = openEgress(t);
    const error = await errorOf(egress.request({ url: 'http://nowhere.example/' }));
    assert.equal(error.code, 'egress_dns_failed');
    assert.match(error.message, /nowhere\.example/);
    assert.equal(maySent(error), false);
  });

  it('the system resolver knows localhost', async (t) => {
    const { port } = await serve(t, (_, response) => response.end('ok'));
    const { systemResolver } = await import('./guard.ts');
    const egress = openEgress(t, { allow: '127.0.0.1', resolver: systemResolver });
    assert.equal((await egress.request({ url: `http://localhost:${port}/` })).status, 200);
  });
});

describe('a refusal', () => {
  it('says which rule refused and how it is allowed, without the address; metrics and audit learn of it', async (t) => {
    const refusals: unknown[] = [];
    const egress = openEgress(t, {
      names: { 'db.example': [['10.1.2.3']] },
      onRefused: (refusal) => refusals.push(refusal),
    });
    const scope = { tenant: 't1', connector: 'http' };
    const error = await errorOf(egress.request({ url: 'http://db.example:8080/', scope }));
    assert.match(
      error.message,
      /db\.example:8080 is refused \(rule private\).*entry db\.example:8080 in LINKSPAN_EGRESS_ALLOW/,
    );
    assert.doesNotMatch(error.message, /10\.1\.2\.3/);
    assert.equal(error.kind.retryable, false);
    assert.deepEqual(refusals, [
      { host: 'db.example', port: 8080, kind: 'http', scope, address: '10.1.2.3', reason: 'private' },
    ]);
    assert.match(await egress.registry.metrics(), /linkspan_egress_refused_total\{reason="private"\} 1/);
  });

  it('of one realm is not undone by the open connection of another', async (t) => {
    const { port, connections } = await serve(t, (_, response) => response.end('ok'));
    const egress = openEgress(t, {
      rules: {
        realm: ({ tenant }) => tenant ?? '',
        decide: ({ scope }) =>
          scope.tenant === 'a' ? { allowed: true, by: 'rule' } : { allowed: false, reason: 'loopback' },
      },
    });
    const url = `http://127.0.0.1:${port}/`;
    await (await egress.request({ url, scope: { tenant: 'a' } })).body.text();
    assert.equal((await errorOf(egress.request({ url, scope: { tenant: 'b' } }))).code, 'egress_refused');
    assert.equal(connections(), 1);
  });
});
