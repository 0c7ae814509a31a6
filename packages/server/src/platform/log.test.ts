import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { defineErrors } from './errors.ts';
import { createLog, describeError, type Log, type LogFields, type LogLevel } from './log.ts';

const CANARY = 'canary-5f2e';

/** A log and the lines it has written. */
function open(level: LogLevel = 'trace'): { log: Log; lines: Record<string, unknown>[]; text: () => string } {
  const written: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => {
    written.push(line);
    lines.push(JSON.parse(line) as Record<string, unknown>);
  };
  return { log: createLog({ level, destination: { write } }), lines, text: () => written.join('') };
}

/** Fields as code that escaped the compiler might give them. */
const unchecked = (fields: unknown) => fields as LogFields;

/** What the log writes of an error, as text. */
const shown = (error: unknown) => {
  const { log, text } = open();
  log.error('failed', { err: error });
  return text();
};

function thrown(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

describe('the log', () => {
  it('writes one JSON object a line, with time and level by name', () => {
    const { log, lines } = open();
    log.info('a hub\nstarted', { address: 'http://127.0.0.1:7004', ms: 12 });
    assert.equal(lines.length, 1);
    const { time, ...rest } = lines[0] ?? {};
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(rest, {
      level: 'info',
      address: 'http://127.0.0.1:7004',
      ms: 12,
      msg: 'a hub\nstarted',
    });
  });

  it('writes from its level upwards', () => {
    const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
    const { log, lines } = open('warn');
    for (const level of levels) log[level]('x');
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['warn', 'error', 'fatal'],
    );
    const silent = open('silent');
    silent.log.fatal('x');
    assert.deepEqual(silent.lines, []);
  });

  it('drops a field that is not listed, or not of its type', () => {
    const { log, lines, text } = open();
    const fields = {
      password: CANARY,
      constructor: CANARY,
      __proto__: { secret: CANARY },
      toString: CANARY,
      route: { nested: CANARY },
      method: [CANARY],
      status: CANARY,
      ms: CANARY,
      code: 7,
      tenant: 't',
    };
    log.info('x', unchecked(fields));
    log.child(unchecked(fields)).info('y');
    for (const line of lines)
      assert.deepEqual(Object.keys(line).toSorted(), ['level', 'msg', 'tenant', 'time']);
    assert.ok(!text().includes(CANARY));
  });

  it('adds the fields of a child to each of its lines', () => {
    const { log, lines } = open();
    log.child({ node: 'n' }).child({ tenant: 't' }).warn('x', { count: 1 });
    const { node, tenant, count } = lines[0] ?? {};
    assert.deepEqual([node, tenant, count], ['n', 't', 1]);
  });
});

describe('an error in the log', () => {
  const errors = defineErrors({
    door_shut: { status: 409, title: 'The door is shut', retryable: true, help: 'Open it.' },
  });

  it('of ours is written as code and title, without its detail', () => {
    const described = describeError(errors.door_shut({ detail: CANARY, cause: new TypeError(CANARY) }));
    assert.deepEqual([described['code'], described['message']], ['door_shut', 'The door is shut']);
    assert.deepEqual((described['cause'] as { name: string }).name, 'TypeError');
    assert.ok(!JSON.stringify(described).includes(CANARY));
  });

  it('of the system is written with what the number means, without the path', () => {
    const { code, message } = describeError(thrown(() => readFileSync(`/none/${CANARY}`)));
    assert.deepEqual([code, message], ['ENOENT', 'no such file or directory']);
  });

  it('says where it came from', () => {
    for (const message of ['', 'x', 'two\nlines']) {
      const { frames } = describeError(new Error(message));
      assert.match((frames as string[])[0] ?? '', /log\.test\.ts:\d+:\d+/);
    }
  });

  it('never repeats a value the runtime stumbled over', () => {
    const faults = [
      thrown(() => JSON.parse(`{"password":"${CANARY}`)),
      thrown(() => new URL(CANARY)),
      thrown(() => 'a' in (CANARY as unknown as object)),
      thrown(() => (undefined as unknown as Record<string, string>)[CANARY]),
      thrown(() => decodeURIComponent(`%${CANARY}`)),
      thrown(() => new RegExp(`(${CANARY}`)),
      thrown(() => BigInt(CANARY)),
      thrown(() => Buffer.alloc(-1, CANARY)),
      thrown(() => structuredClone(Object.assign(() => CANARY, {}))),
    ];
    for (const fault of faults) {
      assert.ok(fault instanceof Error);
      assert.ok(!shown(fault).includes(CANARY), String(fault));
    }
  });

  it('keeps the part of a message of the runtime that is fixed', () => {
    const fault = thrown(() => (undefined as unknown as Record<string, string>)[CANARY]);
    assert.equal(describeError(fault)['message'], 'Cannot read properties of undefined');
  });

  it('shows no more of what only claims to be an error', () => {
    const changed = new Error(`${CANARY}\n    at ${CANARY} (file:///x.ts:1:1)`);
    changed.message = '';
    const renamed = Object.assign(new Error('x'), { name: `${CANARY}Error`, code: CANARY });
    const hidden = { toString: () => 'Error', secret: CANARY };
    const hostile = [
      changed,
      renamed,
      Object.assign(new Error('x'), { name: hidden, code: hidden }),
      Object.assign(new Error('x'), { stack: { toString: () => CANARY } }),
      Object.assign(new Error('x'), { stack: `${CANARY}: x\n    at ${CANARY} (file:///x.ts:1:1)` }),
      Object.defineProperty(new Error('x'), 'message', { get: () => assert.fail(CANARY) }),
      Object.defineProperty(new Error('x'), 'name', { get: () => assert.fail(CANARY) }),
      new Proxy(new Error('x'), {
        get: () => assert.fail(CANARY),
        getPrototypeOf: () => assert.fail(CANARY),
      }),
      Object.assign(new Error('x'), { toJSON: () => CANARY, toString: () => CANARY }),
      new AggregateError([new Error(CANARY)], CANARY),
      CANARY,
      { message: CANARY },
      [CANARY],
      Symbol(CANARY),
    ];
    for (const [index, error] of hostile.entries()) assert.ok(!shown(error).includes('canary'), `${index}`);
  });

  it('ends the line of its causes, even where they are a ring', () => {
    const one = new Error('x');
    one.cause = new Error('y', { cause: one });
    assert.ok(shown(one).length < 20_000);
  });

  it('never shows a secret, wherever in it the secret is and whatever surrounds it', () => {
    const around = fc.tuple(
      fc.oneof(fc.string(), fc.constantFrom('\n    at ', '\n    at f (file:///', 'Error: ', '\n')),
      fc.oneof(fc.string(), fc.constantFrom(':1:1)', ' (<anonymous>)', '\n    at g (file:///x.ts:1:1)')),
    );
    const place = fc.constantFrom('message', 'cause', 'name', 'code', 'extra', 'detail');
    fc.assert(
      fc.property(around, place, fc.boolean(), ([before, after], where, change) => {
        const text = `${before}${CANARY}${after}`;
        const error =
          where === 'detail'
            ? errors.door_shut({ detail: text })
            : new Error(where === 'message' ? text : 'x');
        if (where === 'cause') error.cause = new Error(text);
        else if (where !== 'message' && where !== 'detail') Object.assign(error, { [where]: text });
        if (change) error.message = before;
        assert.ok(!shown(error).includes(CANARY));
      }),
      { numRuns: 500 },
    );
  });
});
