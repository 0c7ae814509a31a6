import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { serveGets } from './http/server.ts';
import { runLoad, type LoadPlan } from './load.ts';
import { stepOf, stepPath, type Step } from './step.ts';

/** A stub that serves steps, and tells its feed of the last ones. */
async function startStub(t: TestContext) {
  const served: Step[] = [];
  let tell: (text: string) => void = () => {};
  const stub = await serveGets(
    (path) => {
      const step = stepOf(path)!;
      served.push(step);
      if (step.step === step.last) tell(`${step.key}\n`);
      return '{}';
    },
    (socket) => {
      tell = (text) => void socket.write(text);
      socket.write('listening\n');
    },
  );
  t.after(() => stub.close());
  return { port: stub.port, served };
}

/** A hub that makes every step at once, and answers as it is told. */
async function startHub(t: TestContext, statusOf: (nth: number) => number): Promise<string> {
  let requests = 0;
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const status = statusOf(requests++);
      const answer = status === 202 ? '{"id":"an-id"}' : '{}';
      if (status === 0) response.destroy();
      else response.writeHead(status, { 'content-length': answer.length }).end(answer);
      if (status === 202) void runAll((JSON.parse(body) as { input: { url: string } }).input.url);
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function runAll(url: string): Promise<void> {
  const { last, key } = stepOf(url)!;
  for (let step = 1; step <= last; step++) await fetch(new URL(stepPath({ step, last, key }), url));
}

function plan(stub: number, address: string): LoadPlan {
  const times = { warm: 0, seconds: 0.2, drain: 10 };
  return {
    addresses: [address],
    token: 'x',
    stub,
    steps: 2,
    connections: 2,
    outstanding: 3,
    firstKey: 100,
    ...times,
  };
}

test('every run is accounted for by its answer, and waited for', async (t) => {
  const stub = await startStub(t);
  const answers = [202, 429, 503, 0];
  const address = await startHub(t, (nth) => answers[nth % answers.length]!);
  const phases: string[] = [];
  const report = await runLoad(plan(stub.port, address), (phase) => phases.push(phase));

  assert.deepEqual(phases, ['measuring', 'measured']);
  assert.ok(report.accepted.length > 0);
  assert.equal(report.ids.length, report.accepted.length);
  assert.equal(report.statuses[202], report.accepted.length);
  assert.equal(report.statuses[429], report.refused.length);
  assert.equal(report.statuses[503]! + report.statuses[0]!, report.unanswered.length);
  assert.ok(report.acceptedInTime <= report.accepted.length && report.acceptedInTime > 0);
  const keys = [...report.accepted, ...report.refused, ...report.unanswered].toSorted((a, b) => a - b);
  assert.deepEqual(
    keys,
    keys.map((_, index) => 100 + index),
    'keys count up without a gap',
  );
  const ended = new Set(stub.served.filter(({ step, last }) => step === last).map(({ key }) => key));
  assert.deepEqual(
    [...ended].toSorted((a, b) => a - b),
    report.accepted.toSorted((a, b) => a - b),
  );
});

test('no more runs are under way than may be', async (t) => {
  const stub = await startStub(t);
  let open = 0;
  let most = 0;
  const address = await startHub(t, () => {
    open++;
    most = Math.max(
      most,
      open - new Set(stub.served.filter(({ step }) => step === 2).map(({ key }) => key)).size,
    );
    return 202;
  });
  await runLoad({ ...plan(stub.port, address), connections: 8 }, () => {});
  assert.ok(open > 8);
  assert.ok(most <= 3, `${most} were under way`);
});
