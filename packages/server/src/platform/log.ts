import { getSystemErrorMessage } from 'node:util';
import { pino, type DestinationStream } from 'pino';
import { HubError } from './errors.ts';

/**
 * The log. One line is one JSON object; the fields it may carry are listed here and nowhere else (security
 * rule 10): a field that is not listed does not compile and, when it arrives all the same, is dropped.
 */
const FIELDS = {
  requestId: 'string',
  method: 'string',
  /** The route's pattern (`/api/v1/tokens/:id`), never the address with its values. */
  route: 'string',
  status: 'number',
  /** Milliseconds. */
  ms: 'number',
  code: 'string',
  tenant: 'string',
  principal: 'string',
  call: 'string',
  run: 'string',
  attempt: 'number',
  action: 'string',
  connector: 'string',
  host: 'string',
  node: 'string',
  topic: 'string',
  consumer: 'string',
  count: 'number',
  bytes: 'number',
  seconds: 'number',
  pid: 'number',
  signal: 'string',
  exitCode: 'number',
  version: 'string',
  address: 'string',
  /** A directory or file of the operator's own. */
  path: 'string',
  /** A short, fixed word that tells variants of one message apart. */
  reason: 'string',
  /** A line another program of ours printed (the embedded PostgreSQL). */
  line: 'string',
} as const;

type Field = keyof typeof FIELDS;

export type LogFields = {
  [F in Field]?: (typeof FIELDS)[F] extends 'number' ? number : string;
} & {
  /** An error; only what `describeError` allows is written of it. */
  err?: unknown;
};

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

/** Fixed parts of the runtime's own messages; around them such a message often repeats a value. */
const PHRASES: readonly string[] = [
  'Cannot read properties of undefined',
  'Cannot read properties of null',
  'Cannot set properties of undefined',
  'Cannot set properties of null',
  'Cannot destructure property',
  'Assignment to constant variable',
  'before initialization',
  'Maximum call stack size exceeded',
  'Invalid array length',
  'Invalid string length',
  'is not a function',
  'is not a constructor',
  'is not iterable',
  'is not defined',
];

const ERROR_NAME = /^[A-Za-z]{0,40}(?:Error|error|Exception)$/;
const ERROR_CODE = /^[A-Z0-9]+(?:_[A-Z0-9]+){0,8}$/;
const STACK_NAME = /^[A-Za-z]{1,40}(?: \[[A-Z0-9_]+\])?$/;
const FRAME = /^ {4}at .*(?:<anonymous>|:\d+:\d+)\)?$/;

/**
 * What may be written of an error: its name, code, stack frames and causes, and of its message only fixed text of
 * ours or the runtime's. A message often repeats the value it stumbled over, be it a database's, a parser's or a
 * plain `TypeError` (`Cannot use 'in' operator to search for 'a' in …`).
 */
export function describeError(error: unknown): Record<string, unknown> {
  try {
    return described(error, 0);
  } catch {
    return { name: 'unreadable' };
  }
}

function described(error: unknown, depth: number): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error };
  const { code, name, cause } = error as Error & { code?: unknown };
  const message = fixedMessageOf(error);
  return {
    name: typeof name === 'string' && ERROR_NAME.test(name) ? name : 'Error',
    ...(error instanceof HubError ? { code: error.code } : isErrorCode(code) ? { code } : {}),
    ...(message === undefined ? {} : { message }),
    frames: framesOf(error),
    ...(cause !== undefined && depth < 4 ? { cause: described(cause, depth + 1) } : {}),
  };
}

function isErrorCode(code: unknown): code is string {
  return typeof code === 'string' && code.length <= 60 && ERROR_CODE.test(code);
}

function fixedMessageOf(error: Error): string | undefined {
  if (error instanceof HubError) return error.kind.title;
  const { errno, syscall } = error as { errno?: unknown; syscall?: unknown };
  if (typeof syscall === 'string' && typeof errno === 'number') return getSystemErrorMessage(errno);
  return PHRASES.find((phrase) => error.message.includes(phrase));
}

/**
 * Frames come after the message, whose own lines may look like frames. Where the two cannot be told apart, as when
 * the message was changed after the stack was written: none.
 */
function framesOf({ stack = '', message }: Error): string[] {
  const head = message === '' ? '\n' : `: ${message}\n`;
  const at = stack.indexOf(head);
  if (!STACK_NAME.test(stack.slice(0, Math.max(at, 0)))) return [];
  const frames = stack.slice(at + head.length).split('\n');
  return frames
    .filter((line) => FRAME.test(line))
    .slice(0, 12)
    .map((line) => line.trim());
}

/** Only what is listed passes, and that only as the type it is listed with. */
function allowed(fields: LogFields): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'err') kept['err'] = describeError(value);
    else if (typeof value === FIELDS[name as Field]) kept[name] = value;
  }
  return kept;
}

/** Makes the log of a process. `destination` defaults to standard output. */
export function createLog(options: { level: LogLevel; destination?: DestinationStream }): Log {
  const base = {
    level: options.level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (level: string) => ({ level }) },
  };
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
