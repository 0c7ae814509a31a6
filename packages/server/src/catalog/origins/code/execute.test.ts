import assert from 'node:assert/strict';
import { test, type TestContext as Test } from 'node:test';
import { connectors } from '@linkspan/connectors';
import type { Executor } from '../../../calls/index.ts';
import { attemptOf, CANARY, connectorWith, executorFor, serve, type TestContext } from '../../testing.ts';

type Change = Parameters<typeof connectorWith>[0];

function start(t: Test, change: Change) {
  return executorFor(t, [connectorWith(change)]);
}

async function outcomeOf(t: Test, change: Change, input: unknown = {}) {
  return start(t, change).executor.execute(attemptOf('test/do', input));
}

async function errorOf(t: Test, change: Change, input: unknown = {}) {
  const outcome = await outcomeOf(t, change, input);
  assert.ok('error' in outcome, JSON.stringify(outcome));
  return { kind: outcome.kind, ...outcome.error };
}

test('a success is its output as JSON text', async (t) => {
  const { executor } = executorFor(t, connectors);
  const outcome = await executor.execute(attemptOf('example/echo', { message: 'Grüße' }));
  assert.deepEqual(outcome, { kind: 'succeeded', output: '{"message":"Grüße"}' });
});

test('the context tells who, what and which try', async (t) => {
  const seen: unknown[] = [];
  await outcomeOf(t, {
    run: async ({ call, tenant, principal, attempt, idempotencyKey, context }) => {
      seen.push({ call, tenant, principal, attempt, idempotencyKey, context });
      return { text: '' };
    },
  });
  assert.deepEqual(seen, [
    {
      call: 'call-1',
      tenant: 'tenant-1',
      principal: 'principal-1',
      attempt: 2,
      idempotencyKey: 'key-1',
      context: { order: 7 },
    },
  ]);
});

test('a declared error keeps its code, its class and what the connector says', async (t) => {
  const error = await errorOf(t, {
    run: async (ctx) => {
      throw ctx.fail('nope', { message: 'Not today', retryAfter: 1500.4, details: { status: 418 } });
    },
  });
  assert.deepEqual(error, {
    kind: 'failed',
    code: 'nope',
    message: 'Not today',
    retry: 'rate_limited',
    retryAfter: 1500,
    details: { status: 418 },
  });
  const bare = await errorOf(t, {
    run: async (ctx) => {
      throw ctx.fail('nope', { retryAfter: Number.NaN, details: { big: 1n } });
    },
  });
  assert.deepEqual(
    [bare.message, bare.retryAfter, bare.details],
    ['It would not.', undefined, { omitted: 'not JSON' }],
  );
});

test('whatever else is thrown is a fault of the connector, and is logged without its message', async (t) => {
  for (const thrown of [new Error(`about ${CANARY}`), CANARY, undefined]) {
    const { executor, lines } = start(t, {
      run: () => {
        throw thrown;
      },
    });
    const outcome = await executor.execute(attemptOf('test/do', {}));
    assert.ok(outcome.kind === 'failed' && outcome.error.code === 'connector_fault');
    assert.equal(outcome.error.retry, 'permanent');
    assert.ok(lines.some((line) => line.includes('"action":"test/do"') && line.includes('call-1')));
    assert.ok(!(lines.join('') + JSON.stringify(outcome)).includes(CANARY));
  }
  const undeclared = await errorOf(t, {
    run: async (ctx) => {
      throw ctx.fail('other' as 'nope');
    },
  });
  assert.equal(undeclared.code, 'connector_fault');
});

test('it may have happened and nobody knows can be said', async (t) => {
  const error = await errorOf(t, {
    run: async (ctx) => {
      throw ctx.unknown({ details: { at: 3 } });
    },
  });
  assert.deepEqual([error.kind, error.code, error.details], ['unknown', 'outcome_unknown', { at: 3 }]);
});

test('an action that is gone, and an input that no longer fits', async (t) => {
  const { executor } = start(t, {});
  const gone = await executor.execute(attemptOf('test/gone', {}));
  assert.ok(gone.kind === 'failed' && gone.error.code === 'no_such_action');
  const error = await errorOf(t, {}, { more: 1 });
  assert.equal(error.code, 'input_invalid');
  assert.match(JSON.stringify(error.details), /"\/more"/);
});

test('an output has to be as declared, and no larger than 64 KiB', async (t) => {
  for (const output of [{ text: 1 }, undefined, { text: 'a', more: 1 }, { text: 1n }]) {
    const error = await errorOf(t, { run: async () => output });
    assert.deepEqual([error.kind, error.code], ['failed', 'output_invalid']);
  }
  const room = 65_536 - JSON.stringify({ text: '' }).length;
  const fits = await outcomeOf(t, { run: async () => ({ text: 'x'.repeat(room) }) });
  assert.equal(fits.kind, 'succeeded');
  const error = await errorOf(t, { run: async () => ({ text: 'x'.repeat(room + 1) }) });
  assert.deepEqual([error.kind, error.code], ['failed', 'output_too_large']);
});

test('a secret is taken out of outputs, errors and log lines, also in what was made of it', async (t) => {
  const made = Buffer.from(`user:${CANARY}`).toString('base64');
  const endings: ((ctx: TestContext) => unknown)[] = [
    () => ({ text: `key=${CANARY} ${made}` }),
    (ctx) =>
      Promise.reject(
        ctx.fail('nope', { message: `${'-'.repeat(990)}${CANARY}`, details: { [CANARY]: [made] } }),
      ),
    (ctx) => Promise.reject(ctx.unknown({ message: CANARY })),
    () => ({ wrong: CANARY }),
  ];
  for (const ending of endings) {
    const { executor, lines } = start(t, {
      run: async (ctx) => {
        ctx.secret(made);
        ctx.log.info(`with ${ctx.input.key} and ${made}`);
        return ending(ctx);
      },
    });
    const outcome = await executor.execute(attemptOf('test/do', { key: CANARY }));
    const shown = JSON.stringify(outcome) + lines.join('');
    assert.match(lines.join(''), /with \[redacted\] and \[redacted\]/);
    for (const text of [CANARY, CANARY.slice(0, 10), made]) assert.ok(!shown.includes(text), shown);
  }
});

/** A server that takes requests and never answers, and the promise of its first one. */
async function silent(t: Test) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { url } = await serve(t, () => resolve());
  return { url, asked: promise };
}

async function aborted(t: Test, change: Change, reason: string, when?: (url: string) => Promise<void>) {
  const abort = new AbortController();
  const { url, asked } = await silent(t);
  const work = start(t, change).executor.execute(attemptOf('test/do', { url }, { signal: abort.signal }));
  await (when?.(url) ?? asked);
  abort.abort(reason);
  const outcome = await work;
  assert.ok('error' in outcome);
  return `${outcome.kind} ${outcome.error.code} ${outcome.error.retry}`;
}

const request = (method: string) => async (ctx: TestContext) => {
  await ctx.http.request({ method, url: ctx.input.url ?? '' });
  return { text: '' };
};

test('aborted: what was sent decides between failed and unknown', async (t) => {
  assert.equal(await aborted(t, { run: request('POST') }, 'timeout'), 'unknown attempt_timeout timeout');
  assert.equal(await aborted(t, { run: request('POST') }, 'cancelled'), 'unknown attempt_aborted transient');
  assert.equal(await aborted(t, { run: request('GET') }, 'timeout'), 'failed attempt_timeout timeout');
  assert.equal(
    await aborted(t, { run: request('POST'), effect: 'read' }, 'timeout'),
    'failed attempt_timeout timeout',
  );
});

test('aborted before anything was sent is failed, also when the connector does not stop', async (t) => {
  const deaf = { run: () => new Promise(() => undefined) };
  assert.equal(await aborted(t, deaf, 'timeout', async () => undefined), 'failed attempt_timeout timeout');
  const pausing = {
    run: async (ctx: TestContext) => {
      await ctx.sleep(3_600_000);
      return request('POST')(ctx);
    },
  };
  assert.equal(
    await aborted(t, pausing, 'draining', async () => undefined),
    'failed attempt_aborted transient',
  );
});

test('a request under way counts as sent, whatever the connector makes of it', async (t) => {
  const { url, asked } = await silent(t);
  const error = await errorOf(t, {
    run: async (ctx) => {
      void ctx.http.request({ method: 'POST', url }).catch(() => undefined);
      await asked;
      throw new Error('something else');
    },
  });
  assert.deepEqual([error.kind, error.code], ['unknown', 'connector_fault']);
});

test('a lost answer: unknown after a POST, failed after a GET or when nothing was sent', async (t) => {
  const { url } = await serve(t, ({ socket }) => socket.destroy());
  const post = await errorOf(t, { run: request('POST') }, { url });
  assert.deepEqual([post.kind, post.code, post.retry], ['unknown', 'egress_reset', 'transient']);
  const get = await errorOf(t, { run: request('GET') }, { url });
  assert.deepEqual([get.kind, get.code], ['failed', 'egress_reset']);
  const refused = await errorOf(t, { run: request('POST') }, { url: 'http://10.1.2.3/' });
  assert.deepEqual([refused.kind, refused.code, refused.retry], ['failed', 'egress_refused', 'permanent']);
});

test('what goes wrong after something was changed is unknown, unless the connector knows better', async (t) => {
  const { url } = await serve(t, (_, response) => void response.end('not json'));
  const after = (then: (ctx: TestContext) => unknown) => async (ctx: TestContext) => {
    const answer = await ctx.http.request({ method: 'POST', url });
    if (then.length === 0) await answer.json();
    answer.discard();
    return then(ctx);
  };
  const notJson = await errorOf(t, { run: after(() => ({ text: '' })) });
  assert.deepEqual([notJson.kind, notJson.code], ['unknown', 'response_not_json']);
  const fault = await errorOf(t, {
    run: after((ctx) => {
      throw new TypeError(ctx.call);
    }),
  });
  assert.deepEqual([fault.kind, fault.code], ['unknown', 'connector_fault']);
  const declared = await errorOf(t, { run: after((ctx) => Promise.reject(ctx.fail('nope'))) });
  assert.deepEqual([declared.kind, declared.code], ['failed', 'nope']);
});

test('what an attempt began ends with it: sockets close, and nothing goes out any more', async (t) => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const { url, host } = await serve(t, ({ socket }) => void socket.once('close', () => resolve()));
  const port = Number(host.split(':')[1]);
  const later = Promise.withResolvers<unknown>();
  const goOn = (ctx: TestContext): void =>
    later.resolve(ctx.http.request({ url }).catch((error: unknown) => error));
  const { executor } = start(t, {
    run: async (ctx) => {
      const socket = await ctx.connect({ host: '127.0.0.1', port });
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      setImmediate(() => setImmediate(goOn, ctx));
      return { text: '' };
    },
  });
  assert.equal((await executor.execute(attemptOf('test/do', {}))).kind, 'succeeded');
  await closed;
  assert.equal(((await later.promise) as { code?: string }).code, 'egress_aborted');
});

test('a probe says whether it happened; a failing probe leaves it unknown', async (t) => {
  const asked = async (probe: unknown) => {
    const { executor } = start(t, { repeat: 'probed', probe });
    const outcome = await executor.probe(attemptOf('test/do', {}));
    return 'error' in outcome
      ? `${outcome.kind} ${outcome.error.code}`
      : 'output' in outcome && outcome.output;
  };
  assert.equal(await asked(async () => ({ happened: true, output: { text: 'yes' } })), '{"text":"yes"}');
  assert.equal(await asked(async () => ({ happened: false })), 'failed not_happened');
  assert.equal(await asked((ctx: TestContext) => Promise.reject(ctx.fail('nope'))), 'unknown nope');
  assert.equal(await asked(() => Promise.reject(new Error('x'))), 'unknown connector_fault');
  const { executor } = start(t, {});
  const without = await executor.probe(attemptOf('test/do', {}));
  assert.equal(without.kind, 'unknown');
});

test('an action says whether it may be repeated; where that depends on the input, only with it', (t) => {
  const { executor } = executorFor(t, connectors);
  assert.equal(executor.about('http/nothing'), undefined);
  assert.deepEqual(executor.about('example/echo'), { repeatable: 'idempotent' });
  assert.deepEqual(executor.about('http/request'), { repeatable: 'never' });
  assert.deepEqual(executor.about('http/request', '{"url":"u"}'), { repeatable: 'idempotent' });
  assert.deepEqual(executor.about('http/request', 'no JSON'), { repeatable: 'never' });
  const wished = start(t, { policy: { attempts: 2 } }).executor.about('test/do');
  assert.deepEqual(wished, { repeatable: 'never', policy: { attempts: 2 } });
});

test('it is the executor the engine asks for', (t) => {
  const executor: Executor = executorFor(t, connectors).executor;
  assert.deepEqual(Object.keys(executor).toSorted(), ['about', 'execute', 'probe']);
});
