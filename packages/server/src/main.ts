import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { startHub, version, type Hub } from './compose.ts';
import { ConfigError, loadConfig, type Config } from './config.ts';
import { HubError } from './platform/errors.ts';
import { RouteError } from './platform/http/index.ts';
import { createLog, type Log } from './platform/log.ts';

/** How the process ends; `docs/operation.md` explains them. */
const EXIT = { drained: 0, fault: 1, configuration: 2, notStarted: 3, interrupted: 130 } as const;

/** Milliseconds that letting go may take beyond the grace. */
const LINGER = 2_000;

// The log goes to standard error, so that what a person reads stands alone on standard output.
const config = read();
const log = createLog({ level: config.logLevel, destination: pino.destination(2) });
process.on('uncaughtException', endByFault);
const stopped = untilStopped(log);
const hub = await start(config, log);
greet(hub);
const reason = await Promise.race([stopped.once, hub.failed]);
if (reason instanceof HubError) log.fatal('the hub cannot go on', { err: reason });
if (await stoppedInTime(hub, config.shutdownGrace * 1000)) log.info('the hub has stopped');
else log.warn('the hub ends although not everything let go in time');
process.exit(reason instanceof HubError ? EXIT.fault : EXIT.drained);

function read(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`Linkspan cannot start with this configuration:\n${error.message}`);
    return process.exit(EXIT.configuration);
  }
}

async function start(settings: Config, to: Log): Promise<Hub> {
  try {
    return await startHub(settings, { log: to });
  } catch (error) {
    to.fatal('the hub could not start', { err: error });
    console.error(`Linkspan could not start. ${explain(error, settings)}`);
    return process.exit(EXIT.notStarted);
  }
}

function greet({ address, newToken, newKeyFile }: Hub): void {
  if (newKeyFile)
    console.log(`Secrets are sealed with the key in ${newKeyFile}. Keep a copy: nothing opens without it.`);
  if (newToken) console.log(`The administrator's token, shown only now: ${newToken}`);
  console.log(`Linkspan ${version} is ready at ${address} (documentation: ${address}/docs)`);
}

/** Node would print all an error holds, and so values that no log may carry. */
function endByFault(error: unknown): void {
  log.fatal('a fault of the hub itself', { err: error });
  process.exit(EXIT.fault);
}

/** A database that does not answer would keep its connections, and so the process, far beyond the grace. */
function stoppedInTime(running: Hub, graceMs: number): Promise<boolean> {
  return Promise.race([running.stop(graceMs).then(() => true), pause(graceMs + LINGER, false)]);
}

/** The first SIGTERM or SIGINT drains; a second SIGINT ends at once. */
function untilStopped(to: Log): { once: Promise<NodeJS.Signals> } {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let interrupts = 0;
  const stop = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGINT' && ++interrupts === 2) process.exit(EXIT.interrupted);
    to.info('draining', { signal });
    resolve(signal);
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  return { once: promise };
}

function explain(error: unknown, { host, port }: Config): string {
  if (error instanceof HubError) {
    const { detail } = error.occurrence;
    return `${error.kind.title}.${detail ? `\n${detail}` : ''}\n${error.kind.help} (${error.code})`;
  }
  if (error instanceof RouteError) return error.message;
  switch (String((error as NodeJS.ErrnoException).code)) {
    case 'EADDRINUSE':
      return `Port ${port} of ${host} is taken, perhaps by another hub. Stop that program, or let LINKSPAN_PORT name another port (0 takes any free one).`;
    case 'EACCES':
      return `This account may not listen on port ${port} of ${host}. Let LINKSPAN_PORT name a port from 1024 on.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `This machine has no address ${host}. Let LINKSPAN_HOST name one of its own, such as 127.0.0.1 or 0.0.0.0.`;
    default:
      return 'The reason is in the log above.';
  }
}
