import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { connectors } from '@linkspan/connectors';
import {
  accessRoutes,
  actorOf,
  createAuthenticator,
  ensureAdministrator,
  permissionCatalogue,
  permits,
  type HubRoute,
  type HubTerms,
} from './access/index.ts';
import { auditVocabulary } from './audit/index.ts';
import {
  callbackRoutes,
  callRoutes,
  createCallbacks,
  createEnds,
  createEngine,
  openingSecrets,
  type Callbacks,
  type CallPorts,
  type Continuations,
  type Ends,
  type Engine,
} from './calls/index.ts';
import {
  catalogRoutes,
  createCatalog,
  createCodeExecutor,
  createCodeReceiver,
  type Catalog,
} from './catalog/index.ts';
import type { Config } from './config.ts';
import { errorMakers } from './error-catalogue.ts';
import { createEvents, eventRoutes, type Events } from './events/index.ts';
import { systemClock, type Clock } from './platform/clock.ts';
import {
  databaseChecks,
  migrate,
  measureDatabase,
  openDatabase,
  readMigrations,
  readStoreId,
  whenReachable,
  type Database,
  type DatabaseTarget,
} from './platform/database/index.ts';
import { startEmbedded } from './platform/database/embedded/index.ts';
import { createEgress, rulesFrom } from './platform/egress/index.ts';
import type { HubError } from './platform/errors.ts';
import { createHttp, type Http, type HttpOptions } from './platform/http/index.ts';
import { createLog, type Log } from './platform/log.ts';
import { createSealer, openDatabaseDataKeyStore, openMasterKey, type Sealer } from './platform/seal/index.ts';
import { createSignal } from './platform/signal/index.ts';

/** A hub that serves. */
export interface Hub {
  /** `http://127.0.0.1:7004` */
  readonly address: string;
  /** The administrator's token, if this start made one. It is shown once and kept nowhere. */
  readonly newToken: string | undefined;
  /** Where a key file was made that somebody has to keep a copy of. */
  readonly newKeyFile: string | undefined;
  /** Resolves, with the reason, when the hub cannot go on. */
  readonly failed: Promise<HubError>;
  /** Drains: takes nothing new, lets what runs finish within `graceMs` milliseconds, and lets everything go. */
  stop(graceMs: number): Promise<void>;
}

/** The version of this hub. */
export const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** What a start takes beside the configuration; tests shift the clock. */
export interface Surroundings {
  readonly log: Log;
  readonly clock?: Clock;
  /** What follows the calls of runs and groups. */
  readonly continuations?: Continuations;
  /** The run that a call of the API begins. */
  readonly placeOf?: NonNullable<CallPorts['placeOf']>;
}

/** Ends something that was started. */
type Release = (graceMs: number) => Promise<unknown>;

/** Starts a hub. What was started before a fault is ended again. */
export async function startHub(config: Config, surroundings: Surroundings): Promise<Hub> {
  const releases: Release[] = [];
  // One grace for all of them; and what cannot end in good order, such as without a database, keeps no other part.
  const stop = async (graceMs: number): Promise<void> => {
    const until = Date.now() + graceMs;
    for (const release of releases.splice(0).toReversed())
      await release(Math.max(0, until - Date.now())).catch((err: unknown) =>
        surroundings.log.warn('a part of the hub did not stop in good order', { err }),
      );
  };
  try {
    return { ...(await compose(config, surroundings, (release) => void releases.push(release))), stop };
  } catch (error) {
    await stop(0);
    throw error;
  }
}

/** The wiring: every part, in the order of what it stands on. */
async function compose(
  config: Config,
  { log, clock = systemClock, continuations = {}, placeOf }: Surroundings,
  onStop: (release: Release) => void,
): Promise<Omit<Hub, 'stop'>> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });

  // The database
  const server = await openServer(config, log, onStop);
  const migrations = await readMigrations(new URL('../migrations/', import.meta.url));
  await whenReachable(() => migrate(server.target, migrations, log), {
    clock,
    wait: config.databaseWait * 1000,
    log,
  });
  const opened = openDatabase(server.target, log);
  onStop(() => opened.close());
  measureDatabase(opened, registry);
  const storeId = await readStoreId(opened);

  // Secrets, and hints between nodes
  const keyFile = join(config.dataDir, 'master.key');
  const key = await openMasterKey(opened, { given: config.masterKey?.reveal(), file: keyFile });
  const sealer = createSealer({ store: openDatabaseDataKeyStore(opened), master: key.master, clock });
  const signal = createSignal({ target: server.target, log, clock });
  onStop(() => signal.close());

  // Events; what is written from here on is told
  const events = createEvents({ database: opened, signal, clock, log, listeners: [] });
  const { database } = events;
  await events.prepare();
  onStop((graceMs) => events.stop(graceMs));

  // Access
  const administrator = await ensureAdministrator(database, {
    tokenConfigured: config.adminToken !== undefined,
  });
  const authenticator = createAuthenticator({
    database,
    now: () => clock.now(),
    configured: config.adminToken && { text: config.adminToken.reveal(), caller: administrator.caller },
  });
  signal.on('token.revoked', {
    heard: (ids) => ids.forEach((id) => authenticator.forget(id)),
    missed: () => authenticator.forgetAll(),
  });

  // Actions, and the way out they take
  const egress = createEgress({ rules: rulesFrom(config.egressAllow), log, registry, clock });
  onStop(() => egress.close());
  const catalog = createCatalog(connectors);

  // Calls, and the callbacks that continue them
  const listening = Promise.withResolvers<string>();
  const base = async (): Promise<string> => config.publicUrl?.origin ?? listening.promise;
  const outside = { catalog, egress, log, clock };
  const receiver = createCodeReceiver(outside);
  const { master } = key;
  const callbacks = createCallbacks({
    database,
    clock,
    log,
    sealer,
    master,
    receiver,
    base,
    engine: () => engine,
  });
  const ends = createEnds({ signal, clock, database });
  const engine: Engine = createEngine({
    database,
    clock,
    log,
    registry,
    executor: openingSecrets(createCodeExecutor({ ...outside, openCallback: callbacks.open }), sealer),
    continuations,
    quota: {
      callsPerDay: config.tenantCallsPerDay,
      unfinished: config.tenantUnfinished,
      storedBytes: config.tenantStoredMegabytes * 1024 ** 2,
    },
    sole: server.sole,
    tellCancel: (call) => signal.send('call.cancel', call),
    written: () => events.written(),
    ended: (ended) => ends.told(ended),
    waits: (call) => callbacks.waits(call),
  });
  signal.on('call.cancel', {
    heard: (calls) => calls.forEach((call) => engine.stopAttempt(call)),
    missed: () => {}, // the sweep finds what was missed
  });
  await engine.start();
  onStop((graceMs) => engine.drain(graceMs));
  callbacks.start();
  onStop(() => callbacks.stop());

  // What is served
  const revoked = (id: string): void => signal.send('token.revoked', id);
  const routes = hubRoutes({
    database,
    clock,
    revoked,
    events,
    engine,
    ends,
    callbacks,
    catalog,
    sealer,
    ...(placeOf && { placeOf }),
  });
  const http = await createHub(routes, {
    authenticate: (text) => authenticator.authenticate(text),
    checks: databaseChecks(database, migrations, storeId),
    registry,
    log,
    clock,
    version,
    publicUrl: config.publicUrl,
    allowedHosts: config.allowedHosts,
  });
  onStop((graceMs) => http.close(graceMs));
  onStop(async () => events.endStreams());
  onStop(async () => ends.close());
  await events.start();
  const address = await http.listen({ host: config.host, port: config.port });
  listening.resolve(address);
  return {
    address,
    newToken: administrator.newToken,
    newKeyFile: key.origin === 'made' ? keyFile : undefined,
    failed: server.failed,
  };
}

/** The database server: one of the operator's, or the embedded one. */
async function openServer(
  config: Config,
  log: Log,
  onStop: (release: Release) => void,
): Promise<{ target: DatabaseTarget; sole: boolean; failed: Promise<HubError> }> {
  if (config.databaseUrl) {
    const target = { connectionString: config.databaseUrl.reveal() };
    return { target, sole: false, failed: new Promise(() => {}) };
  }
  const embedded = await startEmbedded({ dataDir: config.dataDir, log });
  onStop(() => embedded.stop());
  // The lock of the data directory keeps every other hub out.
  return { target: embedded.target, sole: true, failed: embedded.gaveUp };
}

interface RoutePorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly revoked: (tokenId: string) => void;
  readonly events: Pick<Events, 'emit' | 'ports'>;
  readonly engine: Engine;
  readonly ends: Ends;
  readonly callbacks: Pick<Callbacks, 'ports'>;
  readonly catalog: Catalog;
  readonly sealer: Sealer;
  readonly placeOf?: CallPorts['placeOf'];
}

/** Every route of the hub beside the built-in ones. */
function hubRoutes(ports: RoutePorts): HubRoute[] {
  const { database, clock, revoked, events, engine, ends, callbacks, catalog, sealer, placeOf } = ports;
  return [
    ...accessRoutes({
      database,
      revoked,
      emit: (tx, event) => events.emit(tx, event),
      now: () => clock.now(),
    }),
    ...eventRoutes(events.ports),
    ...catalogRoutes({ catalog }),
    ...callbackRoutes(callbacks.ports),
    ...callRoutes({
      database,
      engine,
      ends,
      events: events.ports,
      sealer,
      action: (id) => catalog.action(id),
      ...(placeOf && { placeOf }),
    }),
  ];
}

type Serving = Pick<
  HttpOptions<HubTerms>,
  'authenticate' | 'checks' | 'registry' | 'log' | 'clock' | 'version' | 'publicUrl' | 'allowedHosts'
>;

/** Any routes, served by the hub's own terms. */
function createHub(routes: readonly HubRoute[], serving: Serving): Promise<Http> {
  return createHttp<HubTerms>({
    ...serving,
    routes,
    permissions: permissionCatalogue,
    audits: auditVocabulary,
    errors: errorMakers,
    permits: (caller, permission) => permits(caller.grants, permission),
    actorOf,
    metricsPermission: 'metrics:read',
  });
}

/** The OpenAPI document of this version, without a hub: nothing is asked of the parts behind the routes. */
export async function openApiDocument(): Promise<Readonly<Record<string, unknown>>> {
  const routes = hubRoutes({
    database: {} as Database,
    clock: systemClock,
    revoked: () => {},
    events: {} as Events,
    engine: {} as Engine,
    ends: {} as Ends,
    callbacks: {} as Callbacks,
    catalog: createCatalog([]),
    sealer: {} as Sealer,
  });
  const http = await createHub(routes, {
    authenticate: async () => undefined,
    checks: {},
    registry: new Registry(),
    log: createLog({ level: 'silent' }),
    clock: systemClock,
    version,
  });
  return http.openApi;
}
