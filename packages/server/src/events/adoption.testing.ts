// For tests: nodes that die, stand still and come back while events are written, and what they may not do to them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { cloneDatabase } from '../../test/support/database.ts';
import type { Database } from '../platform/database/index.ts';
import { innerScope, newTenant, startEventNode } from './events.testing.ts';

const PROCESS = fileURLToPath(new URL('consumer-process.testing.ts', import.meta.url));
const KEYS = 500;
const CHUNK = 1_000;
const PARTITIONS = 16;

/** Writes `total` events while one consuming process is killed and another stopped; then checks what was delivered. */
export async function surviveTrouble(t: TestContext, total: number): Promise<void> {
  const scope = innerScope(t);
  const target = await cloneDatabase(scope);
  const folder = await mkdtemp(join(tmpdir(), 'linkspan-events-'));
  scope.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'delivered');
  const { events, database } = await startEventNode(scope, target);
  const written = () => events.written();
  const tenant = await newTenant(database);
  const startProcess = async () => {
    const child = spawn(process.execPath, [PROCESS, target.connectionString ?? '', file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    scope.after(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
    await once(child.stdout, 'data');
    return child;
  };

  const [doomed, paused] = [await startProcess(), await startProcess()];
  const quarter = total / 4;
  await writeEvents(database, written, tenant, 0, quarter);
  doomed.kill('SIGKILL');
  await once(doomed, 'exit');
  await writeEvents(database, written, tenant, quarter, 2 * quarter);
  await startProcess();
  await until(t.signal, async () => (await livingOwners(database)).owners === 2);
  paused.kill('SIGSTOP');
  await writeEvents(database, written, tenant, 2 * quarter, 3 * quarter);
  await until(t.signal, async () => {
    const { owners, partitions } = await livingOwners(database);
    return owners === 1 && partitions === PARTITIONS;
  });
  paused.kill('SIGCONT');
  await writeEvents(database, written, tenant, 3 * quarter, total);
  await until(t.signal, async () => {
    const states = await events.ports.bus.state('events', 'ear');
    return states.every(({ lag }) => lag === 0);
  });
  await checkDelivered(file, total);
}

/**
 * Two writers with keys of their own, so that the order of each key is known; each transaction is open for a while
 * beside others, so that ids are taken in another order than commits are made.
 */
async function writeEvents(
  database: Database,
  written: () => void,
  tenant: string,
  from: number,
  to: number,
): Promise<void> {
  const writer = async (parity: number): Promise<void> => {
    for (let first = from; first < to; first += CHUNK) {
      await database.acrossTenants((tx) =>
        sql`insert into events (tenant_id, key, type, data)
            select ${tenant}, 'k' || n % ${KEYS}::integer, 'app.load', (n / ${KEYS}::integer)::text
            from generate_series(${first}::integer, ${Math.min(first + CHUNK, to) - 1}::integer) n
            where n % 2 = ${parity}::integer order by n`.execute(tx),
      );
      written();
    }
  };
  await Promise.all([writer(0), writer(1)]);
}

/** How many members own partitions under leases that hold, and how many partitions those are. */
async function livingOwners(database: Database): Promise<{ owners: number; partitions: number }> {
  const { rows } = await database.acrossTenants((tx) =>
    sql<{ owners: number; partitions: number }>`
      select count(distinct member)::integer as owners, count(member)::integer as partitions
      from consumer_partitions where lease_until > clock_timestamp()`.execute(tx),
  );
  return rows[0]!;
}

async function until(signal: AbortSignal, holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** None lost, each key in order by its first deliveries, and what came again came with the same id. */
async function checkDelivered(file: string, total: number): Promise<void> {
  const known = new Map<string, string[]>();
  let [taken, again] = [0, 0];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const [key = '', number = '', id = ''] = line.split(' ');
    const ids = known.get(key) ?? [];
    known.set(key, ids);
    const n = Number(number);
    if (n === ids.length) {
      ids.push(id);
      taken++;
    } else {
      assert.ok(n < ids.length, `${key} jumped from ${ids.length - 1} to ${n}`);
      assert.equal(ids[n], id, `${key} ${n} came again with another id`);
      again++;
    }
  }
  assert.equal(taken, total);
  assert.equal(new Set([...known.values()].flat()).size, total);
  assert.ok(again < total / 10, `${again} of ${total} came again`);
}
