import { Registry } from 'prom-client';
import { Pool } from 'undici';
import { connectors } from '../../packages/connectors/src/index.ts';
import {
  actorOf,
  createAuthenticator,
  permissionCatalogue,
  permits,
  type HubTerms,
} from '../../packages/server/src/access/index.ts';
import { auditVocabulary } from '../../packages/server/src/audit/index.ts';
import { callRoutes, type CallPorts, type Engine } from '../../packages/server/src/calls/index.ts';
import { createCatalog, createCodeExecutor } from '../../packages/server/src/catalog/index.ts';
import { loadConfig } from '../../packages/server/src/config.ts';
import { errorMakers } from '../../packages/server/src/error-catalogue.ts';
import { systemClock as clock } from '../../packages/server/src/platform/clock.ts';
import { openDatabase } from '../../packages/server/src/platform/database/index.ts';
import { createEgress, rulesFrom } from '../../packages/server/src/platform/egress/index.ts';
import { createHttp } from '../../packages/server/src/platform/http/index.ts';
import { newId } from '../../packages/server/src/platform/ids.ts';
import { createLog } from '../../packages/server/src/platform/log.ts';
import { inputAfter } from '../step.ts';
import { answerParent } from './messages.ts';

/**
 * The baseline: the hub's own front (routes, validation, token check) before an engine that stores nothing. It
 * answers at once and makes the steps from memory, with the hub's own action (`action`), or with the cheapest client
 * there is for Node (`bare`), given as the first argument.
 */
const config = loadConfig();
const log = createLog({ level: config.logLevel });
const registry = new Registry();
const database = openDatabase({ connectionString: config.databaseUrl!.reveal() }, log);
const authenticator = createAuthenticator({ database, now: () => clock.now() });
const catalog = createCatalog(connectors);
const egress = createEgress({ rules: rulesFrom(config.egressAllow), log, registry, clock });
const executor = createCodeExecutor({ catalog, egress, log, clock });
const never = new AbortController().signal;
const pools = new Map<string, Pool>();

type NewCall = Parameters<Engine['accept']>[0];
type Make = (id: string, call: NewCall, input: string) => Promise<void>;

const make: Record<string, Make> = {
  async action(id, { tenant, principal, action }, input) {
    const call = { id, tenant, principal, action, input, attempt: 1, details: {} };
    const outcome = await executor.execute({ call, signal: never, idempotencyKey: id });
    if (outcome.kind !== 'succeeded') throw new Error(`A step ended as ${outcome.kind}.`);
  },
  async bare(_id, _call, input) {
    const { origin, pathname } = new URL((JSON.parse(input) as { url: string }).url);
    const pool = pools.get(origin) ?? new Pool(origin, { connections: 64 });
    pools.set(origin, pool);
    const { body } = await pool.request({ method: 'GET', path: pathname });
    await body.json();
  },
};
const makeStep = make[process.argv[2] ?? 'action']!;

const engine = {
  async accept(call: NewCall) {
    const id = newId();
    void run(id, call).catch((err: unknown) => log.error('a run of the baseline failed', { err }));
    return { id, result: { kind: 'accepted', state: 'running' } };
  },
} as unknown as Engine;

/** No input of a benchmark holds a secret, and nobody waits for an end or reads events. */
const unused = {
  sealer: {} as CallPorts['sealer'],
  ends: { wait: async () => undefined },
  events: {} as CallPorts['events'],
};

async function run(id: string, call: NewCall): Promise<void> {
  for (let input: string | undefined = call.input; input !== undefined; input = inputAfter(input))
    await makeStep(id, call, input);
}

const http = await createHttp<HubTerms>({
  routes: callRoutes({ ...unused, database, engine, action: (id) => catalog.action(id) }),
  authenticate: (text) => authenticator.authenticate(text),
  permits: (caller, permission) => permits(caller.grants, permission),
  permissions: permissionCatalogue,
  audits: auditVocabulary,
  errors: errorMakers,
  actorOf,
  metricsPermission: 'metrics:read',
  checks: {},
  registry,
  log,
  clock,
  version: 'bench',
});

process.on('SIGTERM', () => process.exit(0));
answerParent(await http.listen({ host: '127.0.0.1', port: 0 }));
