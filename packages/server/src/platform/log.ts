import { pino, type DestinationStream } from 'pino';
import { HubError } from './errors.ts';

/**
 * The log. One line is one JSON object; the fields it may carry are listed here and nowhere else (security
 * rule 10): a field that is not listed does not compile and, when it arrives all the same, is dropped.
 */
export interface LogFields {
  /** An error; only what `describeError` allows is written of it. */
  err?: unknown;
  requestId?: string;
  method?: string;
  /** The route's pattern (`/api/v1/tokens/:id`), never the address with its values. */
  route?: string;
  status?: number;
  /** Milliseconds. */
  ms?: number;
  code?: string;
  tenant?: string;
  principal?: string;
  call?: string;
  run?: string;
  attempt?: number;
  action?: string;
  connector?: string;
  host?: string;
  node?: string;
  topic?: string;
  consumer?: string;
  count?: number;
  bytes?: number;
  seconds?: number;
  pid?: number;
  signal?: string;
  exitCode?: number;
  version?: string;
  address?: string;
  /** A directory or file of the operator's own. */
  path?: string;
  /** A short, fixed word that tells variants of one message apart. */
  reason?: string;
  /** A line another program of ours printed (the embedded PostgreSQL). */
  line?: string;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Writes lines. `child` adds fields to every line of the child. */
export interface Log {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  fatal(message: string, fields?: LogFields): void;
  child(fields: LogFields): Log;
}

const ALLOWED: ReadonlySet<string> = new Set<keyof LogFields>([
  'requestId',
  'method',
  'route',
  'status',
  'ms',
  'code',
  'tenant',
  'principal',
  'call',
  'run',
  'attempt',
  'action',
  'connector',
  'host',
  'node',
  'topic',
  'consumer',
  'count',
  'bytes',
  'seconds',
  'pid',
  'signal',
  'exitCode',
  'version',
  'address',
  'path',
  'reason',
  'line',
]);

/** Messages of these come from the runtime itself and quote no input. */
const QUOTES_NO_INPUT: ReadonlySet<string> = new Set([
  'TypeError',
  'ReferenceError',
  'RangeError',
  'HubError',
]);

/**
 * What may be written of an error: its name, code, stack frames and causes. Its message only where it cannot
 * quote input: a database or parser message often repeats the value it stumbled over.
 */
export function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error };
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  const mayQuote = !QUOTES_NO_INPUT.has(error.name) && typeof syscall !== 'string';
  return {
    name: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    ...(mayQuote ? {} : { message: error instanceof HubError ? error.kind.title : error.message }),
    frames: framesOf(error),
    ...(error.cause !== undefined && depth < 4 ? { cause: describeError(error.cause, depth + 1) } : {}),
  };
}

function framesOf(error: Error): string[] {
  const lines = error.stack?.split('\n') ?? [];
  return lines
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 12)
    .map((line) => line.trim());
}

/** Only what is listed passes. */
function allowed(fields: LogFields): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'err') kept['err'] = describeError(value);
    else if (ALLOWED.has(name)) kept[name] = value;
  }
  return kept;
}

/** Makes the log of a process. `destination` defaults to standard output. */
export function createLog(options: { level: LogLevel; destination?: DestinationStream }): Log {
  const base = { level: options.level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  return wrap(options.destination ? pino(base, options.destination) : pino(base));
}

function wrap(logger: ReturnType<typeof pino>): Log {
  const at =
    (level: Exclude<LogLevel, 'silent'>) =>
    (message: string, fields?: LogFields): void =>
      fields ? logger[level](allowed(fields), message) : logger[level](message);
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    child: (fields) => wrap(logger.child(allowed(fields))),
  };
}
