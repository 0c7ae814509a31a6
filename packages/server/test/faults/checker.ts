import assert from 'node:assert/strict';
import type { DatabaseTarget } from '../../src/platform/database/index.ts';
import type { Clients } from './clients.ts';
import { readCalls, type CallRecord } from './records.ts';
import type { Execution, Stub } from './stub.ts';

/** What a test did, in numbers. */
export interface Counts {
  readonly accepted: number;
  readonly calls: number;
  readonly executed: number;
  readonly retried: number;
  readonly unknown: number;
  readonly adopted: number;
  readonly late: number;
  readonly held: number;
}

export interface Evidence {
  readonly target: DatabaseTarget;
  readonly stub: Stub;
  readonly clients: Clients;
  /** Held calls that a person sent again. */
  readonly sentAgain?: ReadonlySet<string>;
}

/** Attempts that may die with their node before the call is held. */
const POISON = 3;

/**
 * Compares what the stub did and what the callers were told with what the database says, once all is quiet:
 * nothing lost, nothing ended twice, no recorded outcome executed again, every second step exactly once.
 */
export async function check({ target, stub, clients, sentAgain = new Set() }: Evidence): Promise<Counts> {
  const calls = await readCalls(target);
  const executions = Map.groupBy(stub.log, ({ call }) => call);
  const of = ({ id }: CallRecord): Execution[] => executions.get(id) ?? [];
  const faults = [
    ...lost(calls, clients),
    ...calls.flatMap((call) => [
      ...endings(call),
      ...repeats(call, of(call), sentAgain.has(call.id)),
      ...inventions(call, of(call)),
    ]),
    ...unfollowed(calls, clients),
    ...strangers(calls, stub.log),
  ];
  assert.equal(faults.length, 0, `${faults.length} faults\n${faults.slice(0, 10).join('\n')}`);
  return count(calls, stub.log, clients);
}

/** Promise 1: what a caller was told is accepted is there; what it was told was not written is not. */
function lost(calls: readonly CallRecord[], { accepted, refused }: Clients): string[] {
  const ids = new Set(calls.map(({ id }) => id));
  const runs = new Set(calls.map(({ run }) => run));
  return [
    ...[...accepted.values()].filter((id) => !ids.has(id)).map((id) => `lost: ${id}`),
    ...[...refused].filter((run) => runs.has(run)).map((run) => `refused and written: ${run}`),
  ];
}

/** Promise 2: a call has ended, once, by its last attempt; or it is held for a reason. */
function endings(call: CallRecord): string[] {
  const { end, open, journal } = call;
  const counted = journal.filter(({ outcome }) => outcome !== 'late');
  const successes = counted.filter(({ outcome }) => outcome === 'succeeded');
  const wrong: string[] = [];
  if (!end === !open) wrong.push('ended and open are both, or neither');
  if (successes.length !== (end?.state === 'succeeded' ? 1 : 0)) wrong.push('successes in the journal');
  if (end && (end.attempts !== counted.at(-1)?.attempt || counted.at(-1)?.outcome !== end.state))
    wrong.push('its last attempt is not what ended it');
  if (new Set(counted.map(({ attempt }) => attempt)).size !== counted.length)
    wrong.push('an attempt was recorded twice');
  if (open && !isRightlyHeld(call)) wrong.push('unfinished');
  return wrong.map((what) => tell(what, call));
}

function isRightlyHeld({ action, open, journal }: CallRecord): boolean {
  const unknown = journal.filter(({ outcome }) => outcome === 'unknown').length;
  if (open?.state !== 'held') return false;
  if (open.reason === 'poison') return unknown >= POISON;
  return open.reason === 'unknown_outcome' && action === 't/never' && unknown > 0;
}

/** Promises 3 and 7: nothing is sent after a recorded success, and nothing twice that does not bear it. */
function repeats(call: CallRecord, executions: readonly Execution[], sentAgain: boolean): string[] {
  const wrong: string[] = [];
  const success = call.journal.find(({ outcome }) => outcome === 'succeeded')?.attempt ?? Infinity;
  const known = new Set(
    call.journal.flatMap(({ attempt, outcome }) => (outcome === 'failed' ? [attempt] : [])),
  );
  if (new Set(executions.map(({ attempt }) => attempt)).size !== executions.length)
    wrong.push('an attempt was sent twice');
  if (executions.some(({ attempt }) => attempt > success)) wrong.push('sent after its recorded success');
  const effects = executions.filter(({ attempt, repeated }) => !repeated && !known.has(attempt)).length;
  if (call.action !== 't/idempotent' && effects > (sentAgain ? 2 : 1)) wrong.push('done twice');
  return wrong.map((what) => tell(what, call, executions));
}

/** A recorded success is what the stub did for this call. */
function inventions(call: CallRecord, executions: readonly Execution[]): string[] {
  const success = call.journal.find(({ outcome }) => outcome === 'succeeded');
  if (!success) return [];
  const probed = call.action === 't/probed';
  const source = executions.find(({ attempt }) => probed || attempt === success.attempt);
  const { call: whose } = JSON.parse(success.output ?? '{}') as { call?: string };
  return source && whose === call.id ? [] : [tell('recorded without being done', call, executions)];
}

/** Every first step that succeeded has one second step, every group one join, and nothing else has either. */
function unfollowed(calls: readonly CallRecord[], { asked }: Clients): string[] {
  const steps = Map.groupBy(calls, ({ run, step }) => `${run} ${step}`);
  const groups = Map.groupBy(
    calls.filter(({ group }) => group),
    ({ group }) => group!,
  );
  const starts = calls.filter(({ step }) => step === 'first' || step === 'only');
  return [
    ...starts.flatMap((first) => {
      const wanted = first.step === 'first' && first.end?.state === 'succeeded' ? 1 : 0;
      const made = steps.get(`${first.run} second`)?.length ?? 0;
      return made === wanted ? [] : [tell(`${made} second steps instead of ${wanted}`, first)];
    }),
    ...starts.flatMap((first) =>
      asked.has(first.run ?? '') && steps.get(`${first.run} ${first.step}`)?.length === 1
        ? []
        : [tell('nobody asked for it, or it was made twice', first)],
    ),
    ...[...groups].flatMap(([group, members]) => {
      const wanted = members.every(({ end }) => end) ? 1 : 0;
      const made = steps.get(`${group} join`)?.length ?? 0;
      return made === wanted ? [] : [tell(`${made} joins instead of ${wanted}`, members[0]!)];
    }),
  ];
}

/** Promise 1 from the other side: nothing was sent for a call that is not there. */
function strangers(calls: readonly CallRecord[], log: readonly Execution[]): string[] {
  const ids = new Set(calls.map(({ id }) => id));
  return log.filter(({ call }) => !ids.has(call)).map(({ call }) => `sent and not committed: ${call}`);
}

function tell(what: string, call: CallRecord, executions: readonly Execution[] = []): string {
  return `${what}: ${JSON.stringify(call)} ${JSON.stringify(executions)}`;
}

function count(calls: readonly CallRecord[], log: readonly Execution[], { accepted }: Clients): Counts {
  const journal = calls.flatMap((call) => call.journal);
  const unknown = journal.filter(({ outcome }) => outcome === 'unknown');
  return {
    accepted: accepted.size,
    calls: calls.length,
    executed: log.length,
    retried: log.filter(({ attempt }) => attempt > 1).length,
    unknown: unknown.length,
    adopted: unknown.filter(({ error }) => error?.includes('node_lost')).length,
    late: journal.filter(({ outcome }) => outcome === 'late').length,
    held: calls.filter(({ open }) => open?.state === 'held').length,
  };
}
