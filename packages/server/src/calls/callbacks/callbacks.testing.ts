// For tests: callbacks, the engine and the executor in one process, with an action to vary.
import {
  defineAction,
  defineConnector,
  deliveryOutput,
  json,
  object,
  Type,
  type Action,
} from '@linkspan/sdk';
import { Registry } from 'prom-client';
import { openTestDatabase, type Scope } from '../../../test/support/database.ts';
import { MAIN_TENANT, ensureAdministrator } from '../../access/index.ts';
import { createCatalog, createCodeExecutor, createCodeReceiver } from '../../catalog/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { createEgress, parseEgressAllow, rulesFrom } from '../../platform/egress/index.ts';
import { createLog } from '../../platform/log.ts';
import { createSealer, openDatabaseDataKeyStore, parseMasterKey } from '../../platform/seal/index.ts';
import { eventually, innerScope } from '../engine/engine.testing.ts';
import { createEngine, type Engine } from '../engine/index.ts';
import { openingSecrets } from '../secret-input.ts';
import { readCall } from '../store.ts';
import { createCallbacks } from './index.ts';
import * as store from './store.ts';

export const TENANT = MAIN_TENANT.id;

/** An action that asks for `done`, and waits. */
const base = defineAction({
  id: 'ask',
  title: 'Ask',
  description: 'Does what the test says.',
  input: object({ any: Type.Optional(json('Whatever the test wants.')) }),
  output: deliveryOutput,
  effect: 'write',
  repeat: 'never',
  errors: { again: { meaning: 'Not yet.', retry: 'transient' } },
  policy: { delay: 1, jitter: 0 },
  examples: [{ title: 'x', input: {} }],
  async run(ctx) {
    await ctx.callback('done');
    throw ctx.wait(60_000);
  },
});

export type RunContext = Parameters<typeof base.run>[0];

/** A hub without HTTP. `deaf` has nobody told that a call waits, as when a node stops right then. */
export async function startCallbacks(
  t: Scope,
  change: Partial<Record<keyof Action, unknown>> = {},
  { deaf = false, sweeps = false } = {},
) {
  const scope = innerScope(t);
  const database = await openTestDatabase(scope);
  await ensureAdministrator(database, { tokenConfigured: true });
  const log = createLog({ level: 'silent' });
  const [clock, registry] = [systemClock, new Registry()];
  const egress = createEgress({ rules: rulesFrom(parseEgressAllow('')), log, registry, clock });
  scope.after(() => egress.close());
  const master = parseMasterKey('5c'.repeat(32), 'test');
  const sealer = createSealer({ store: openDatabaseDataKeyStore(database), master, clock });
  const action = { ...base, ...change } as unknown as Action;
  const catalog = createCatalog([
    defineConnector({ id: 'test', title: 'T', description: 'D', actions: [action] }),
  ]);
  const outside = { catalog, egress, log, clock };
  const callbacks = createCallbacks({
    database,
    clock,
    log,
    sealer,
    master,
    receiver: createCodeReceiver(outside),
    engine: () => engine,
    base: async () => 'https://hub.example',
  });
  const executor = openingSecrets(createCodeExecutor({ ...outside, openCallback: callbacks.open }), sealer);
  const engine: Engine = createEngine({
    database,
    clock,
    log,
    registry,
    executor,
    sole: true,
    ...(!deaf && { waits: (call) => callbacks.waits(call) }),
  });
  await engine.start();
  scope.after(() => engine.drain(1_000));
  if (sweeps) callbacks.start();
  scope.after(() => callbacks.stop());

  const { reception, addresses } = callbacks.ports;
  const read = async (id: string) =>
    (await database.asTenant(TENANT, (tx) => readCall(tx, TENANT, id)))!.call;
  const becomes = (id: string, state: string) => eventually(async () => (await read(id)).state === state);
  return {
    database,
    engine,
    read,
    becomes,
    async ask(input: unknown = {}) {
      const { id } = await engine.accept({
        tenant: TENANT,
        action: 'test/ask',
        target: 'test',
        input: JSON.stringify(input),
        context: { order: 7 },
      });
      return id;
    },
    async tokenOf(id: string, name = 'done') {
      let found: Awaited<ReturnType<typeof store.findCallback>>;
      await eventually(async () => {
        found = await database.asTenant(TENANT, (tx) => store.findCallback(tx, TENANT, id, name));
        return found !== undefined;
      });
      return addresses.tokenOf(found!);
    },
    deliver: (token: string, body: unknown, more: { method?: string; type?: string } = {}) =>
      reception.receive({
        token,
        method: more.method ?? 'POST',
        query: '',
        headers: { 'content-type': more.type ?? 'application/json' },
        body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
        address: '192.0.2.7',
        requestId: 'request-1',
      }),
    states: async (id: string) => {
      const page = { after: undefined, limit: 100 };
      const all = await database.asTenant(TENANT, (tx) => store.deliveriesOf(tx, TENANT, id, page));
      return all.map(({ state }) => state);
    },
    /** What a round of the worker does, at once. */
    async sweep() {
      const left = await database.acrossTenants((tx) => store.leftOver(tx, { most: 100, age: 0 }));
      for (const delivery of left) await reception.takeUp(delivery);
    },
    /** What those of a state decided, as JSON. */
    bodiesOf: async (id: string, state: string) => {
      const page = { after: undefined, limit: 100 };
      const all = await database.asTenant(TENANT, (tx) => store.deliveriesOf(tx, TENANT, id, page));
      return all
        .filter((one) => one.state === state)
        .map(
          ({ outcome }) =>
            JSON.parse((JSON.parse(outcome ?? '') as { output: string }).output) as { body: unknown },
        )
        .map(({ body }) => body);
    },
    output: async (id: string) => {
      const found = await database.asTenant(TENANT, (tx) => readCall(tx, TENANT, id));
      return JSON.parse(found?.attempts.at(-1)?.output ?? 'null') as { body: unknown } | null;
    },
  };
}
