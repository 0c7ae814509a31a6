import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { newId } from '../../platform/ids.ts';
import { comparePositions, type CloudEvent, type Position } from '../event.ts';
import type { Bus, Fetched, Member } from './bus.ts';

/** A bus on an empty store, seen from two nodes, and whose events they are. */
export interface OpenedBus {
  readonly near: Bus;
  readonly far: Bus;
  readonly tenant: string;
  /** Lets the near node fall silent, so that its leases run out; what is returned wakes it. */
  readonly silence: () => () => void;
}

const TOPIC = { name: 'things', partitions: 4 };

/** What every driver of the bus must do. */
export function testBus(name: string, open: (t: TestContext) => Promise<OpenedBus>): void {
  async function start(t: TestContext) {
    const opened = await open(t);
    await opened.near.declare(TOPIC);
    const append = async (count: number, key: (n: number) => string = (n) => `k${n % 10}`, first = 0) => {
      const events = Array.from({ length: count }, (_, n) =>
        anEvent(opened.tenant, key(first + n), first + n),
      );
      await opened.near.append(TOPIC.name, events);
      return events;
    };
    return { ...opened, append };
  }

  describe(`the bus of ${name}`, () => {
    it('keeps the number of partitions a topic was declared with', async (t) => {
      const { near, far } = await start(t);
      assert.deepEqual(await far.declare({ ...TOPIC, partitions: 9 }), TOPIC);
      await assert.rejects(near.join('unknown', 'c', 'start'), /unknown/);
    });

    it('gives every event once, whole, and those of a key in order and from one partition', async (t) => {
      const { near, append } = await start(t);
      const sent = await append(500);
      const member = await near.join(TOPIC.name, 'c', 'start');
      assert.deepEqual(sorted(member.partitions), [0, 1, 2, 3]);
      const read = await readAll(member, 500);
      assert.deepEqual(read.map(({ event }) => event.id).toSorted(), sent.map(({ id }) => id).toSorted());
      const first = read.find(({ event }) => event.id === sent[0]!.id)!;
      assert.deepEqual({ ...first.event, time: sent[0]!.time }, sent[0]);
      assertOrder(read);
      const places = Map.groupBy(read, ({ event }) => event.partitionkey);
      for (const [, events] of places)
        assert.equal(new Set(events.map(({ partition }) => partition)).size, 1);
      assert.ok(new Set(read.map(({ partition }) => partition)).size > 1);
    });

    it('has positions that grow, and gives at most as many events as were asked for', async (t) => {
      const { near, append } = await start(t);
      await append(30);
      const member = await near.join(TOPIC.name, 'c', 'start');
      const { batches, more } = await member.fetch(7);
      const positions = batches.flatMap(({ events }) => events.map(({ at }) => at));
      assert.equal(positions.length, 7);
      assert.equal(more, true);
      for (const { events, through } of batches) {
        assert.deepEqual(
          events.map(({ at }) => at).toSorted(comparePositions),
          events.map(({ at }) => at),
        );
        assert.ok(comparePositions(events.at(-1)!.at, through) <= 0);
      }
    });

    it('lets groups read for themselves, from the start or the end', async (t) => {
      const { near, far, append } = await start(t);
      await append(20);
      const fromStart = await near.join(TOPIC.name, 'one', 'start');
      const fromEnd = await far.join(TOPIC.name, 'other', 'end');
      await append(5, undefined, 20);
      assert.equal((await readAll(fromStart, 25)).length, 25);
      assert.deepEqual(
        sorted((await readAll(fromEnd, 5)).map(({ event }) => event.data as number)),
        [20, 21, 22, 23, 24],
      );
      assert.deepEqual(await near.consumers(TOPIC.name), ['one', 'other']);
    });

    it('continues a group where it was committed, and repeats what was not', async (t) => {
      const { near, far, append } = await start(t);
      await append(40);
      const member = await near.join(TOPIC.name, 'c', 'start');
      const { batches } = await member.fetch(40);
      const [kept, ...dropped] = batches;
      await member.commit(new Map([[kept!.partition, kept!.through]]));
      await member.leave();
      const next = await far.join(TOPIC.name, 'c', 'start');
      const again = await readAll(next, 40 - kept!.events.length);
      assert.deepEqual(
        again.map(({ event }) => event.id).toSorted(),
        dropped.flatMap(({ events }) => events.map(({ event }) => event.id)).toSorted(),
      );
    });

    it('gives a partition again that was rewound, and leaves those out that were named', async (t) => {
      const { near, append } = await start(t);
      await append(40);
      const member = await near.join(TOPIC.name, 'c', 'start');
      const first = await member.fetch(40);
      const { partition, events } = first.batches[0]!;
      assert.equal((await member.fetch(40)).batches.length, 0);
      member.rewind(partition);
      assert.equal((await member.fetch(40, new Set([partition]))).batches.length, 0);
      const again = await member.fetch(40);
      assert.deepEqual(again.batches, [{ partition, events, through: again.batches[0]!.through }]);
    });

    it('shares partitions between the members of a group', async (t) => {
      const { near, far } = await start(t);
      const one = await near.join(TOPIC.name, 'c', 'start');
      const other = await far.join(TOPIC.name, 'c', 'start');
      await eventually(() => one.partitions.length === 2 && other.partitions.length === 2);
      assert.deepEqual(sorted([...one.partitions, ...other.partitions]), [0, 1, 2, 3]);
      await other.leave();
      await eventually(() => one.partitions.length === 4);
    });

    it('has another member take over from one that fell silent, whose commits count no more', async (t) => {
      const { near, far, append, silence } = await start(t);
      await append(40);
      const dead = await near.join(TOPIC.name, 'c', 'start');
      const { batches } = await dead.fetch(40);
      const heir = await far.join(TOPIC.name, 'c', 'start');
      const wake = silence();
      await eventually(() => heir.partitions.length === 4);
      assert.ok(batches.every(({ partition }) => !dead.owns(partition)));
      wake();
      const read = await readAll(heir, 40);
      assert.equal(read.length, 40);
      const late = await dead.commit(new Map(batches.map(({ partition, through }) => [partition, through])));
      assert.deepEqual([...late], []);
    });

    it('takes no late commit of a partition that changed hands, and tells so', async (t) => {
      const { near, append } = await start(t);
      await append(40);
      const member = await near.join(TOPIC.name, 'c', 'start');
      const { batches } = await member.fetch(40);
      await near.seek(TOPIC.name, 'c', { to: 'start' });
      const read = new Map(batches.map(({ partition, through }) => [partition, through]));
      assert.deepEqual([...(await member.commit(read))], []);
      assert.equal((await readAll(member, 40)).length, 40);
    });

    it('seeks to start, end, a position and a time', async (t) => {
      const { near, append } = await start(t);
      await append(3, () => 'k');
      const before = Date.now();
      await eventually(() => Date.now() > before + 1);
      const time = new Date();
      await append(7, () => 'k', 3);
      const member = await near.join(TOPIC.name, 'c', 'start');
      const read = await readAll(member, 10);
      const rest = async (): Promise<unknown[]> => {
        await append(1, () => 'k', 99);
        const found = await readUntil(member, 99);
        return found.map(({ event }) => event.data);
      };
      await near.seek(TOPIC.name, 'c', { to: 'end' });
      assert.deepEqual(await rest(), [99]);
      await near.seek(TOPIC.name, 'c', { to: 'position', position: read[6]!.at });
      assert.deepEqual((await rest()).slice(0, 4), [7, 8, 9, 99]);
      await near.seek(TOPIC.name, 'c', { to: 'start' });
      assert.deepEqual((await rest()).slice(0, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      await near.seek(TOPIC.name, 'c', { to: 'time', time });
      assert.deepEqual((await rest()).slice(0, 3), [3, 4, 5]);
      await near.seek(TOPIC.name, 'c', { to: 'time', time: new Date(Date.now() + 60_000) });
      assert.deepEqual(await rest(), [99]);
    });

    it('counts the lag of each partition, and shows what blocks one', async (t) => {
      const { near, append } = await start(t);
      const member = await near.join(TOPIC.name, 'c', 'start');
      await append(30);
      const lag = async () => (await near.state(TOPIC.name, 'c')).reduce((sum, one) => sum + one.lag, 0);
      assert.equal(await lag(), 30);
      const { batches } = await member.fetch(30);
      await member.commit(new Map([[batches[0]!.partition, batches[0]!.through]]));
      assert.equal(await lag(), 30 - batches[0]!.events.length);
      await member.block(1, 'a_reason');
      const blocked = (await near.state(TOPIC.name, 'c')).map((one) => one.blocked?.code);
      assert.deepEqual(blocked, [undefined, 'a_reason', undefined, undefined]);
      await member.block(1, undefined);
      assert.equal((await near.state(TOPIC.name, 'c'))[1]!.blocked, undefined);
      assert.deepEqual(await near.state(TOPIC.name, 'nobody'), []);
    });

    it('wakes a member of another node for what is written', async (t) => {
      const { far, append } = await start(t);
      const member = await far.join(TOPIC.name, 'c', 'end');
      await member.fetch(10);
      const woken = member.wait(30_000, t.signal);
      await append(1);
      await woken;
      assert.equal((await readAll(member, 1)).length, 1);
    });
  });
}

const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

let serial = 0;

function anEvent(tenant: string, key: string, n: number): CloudEvent {
  return {
    specversion: '1.0',
    id: `${newId()}-${serial++}`,
    source: '/test',
    type: 'app.test',
    partitionkey: key,
    time: new Date().toISOString(),
    tenant,
    subject: `s${n}`,
    correlation: 'together',
    causation: 'before',
    actor: 'somebody',
    extra: 'kept',
    data: n,
  };
}

export interface Read {
  readonly event: CloudEvent;
  readonly at: Position;
  readonly partition: number;
}

async function step(member: Member, read: Read[]): Promise<Fetched> {
  const fetched = await member.fetch(100);
  const done = await member.commit(
    new Map(fetched.batches.map(({ partition, through }) => [partition, through])),
  );
  for (const { partition, events } of fetched.batches)
    if (done.has(partition)) read.push(...events.map((event) => ({ ...event, partition })));
  if (!fetched.more) await member.wait(50, new AbortController().signal);
  return fetched;
}

/** Reads and commits until so many events were read, and what is there beyond them. */
export async function readAll(member: Member, count: number): Promise<Read[]> {
  const read: Read[] = [];
  for (const patience = newPatience(); read.length < count; patience()) await step(member, read);
  while ((await step(member, read)).more);
  return read;
}

async function readUntil(member: Member, data: unknown): Promise<Read[]> {
  const read: Read[] = [];
  for (const patience = newPatience(); !read.some(({ event }) => event.data === data); patience())
    await step(member, read);
  return read;
}

function assertOrder(read: readonly Read[]): void {
  for (const [key, events] of Map.groupBy(read, ({ event }) => event.partitionkey)) {
    const numbers = events.map(({ event }) => event.data as number);
    assert.deepEqual(
      numbers.toSorted((a, b) => a - b),
      numbers,
      key,
    );
  }
}

/** Fails when what is waited for does not come, so that a broken bus is told of and does not hang. */
function newPatience(): () => void {
  const until = Date.now() + 20_000;
  return () => assert.ok(Date.now() < until, 'it did not come');
}

async function eventually(holds: () => boolean): Promise<void> {
  for (const patience = newPatience(); !holds(); patience())
    await new Promise((resolve) => setTimeout(resolve, 5));
}
