import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Fault } from '../errors.ts';
import { httpErrors } from './errors.ts';
import { readJson } from './json-body.ts';
import { propertiesOf, readParams, readQuery } from './parameters.ts';
import { isRaw, jsonBody, type AnyRequest, type Route, type Terms } from './route.ts';
import { compileCheck, type Check } from '../schema/index.ts';
import { addressOf, queryOf } from './target.ts';

/** Makes the actor of a request, for the audit. */
export type ActorMaker<T extends Terms> = (
  caller: T['caller'],
  origin: { address: string; requestId: string; noted?: (name: T['audit']) => void },
) => T['actor'];

/** One request with its checked input. What few handlers ask for is made when it is asked for. */
export class Exchange<T extends Terms> implements AnyRequest<T> {
  readonly caller: T['caller'] | undefined;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  /** Audit entries written so far. */
  readonly noted: string[] = [];
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #actorOf: ActorMaker<T>;
  #signal: AbortSignal | undefined;

  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    caller: T['caller'] | undefined,
    input: Input,
    actorOf: ActorMaker<T>,
  ) {
    this.#request = request;
    this.#reply = reply;
    this.#actorOf = actorOf;
    this.caller = caller;
    this.params = input.params;
    this.query = input.query;
    this.body = input.body;
  }

  get actor(): T['actor'] | undefined {
    if (!this.caller) return undefined;
    const { address, requestId } = this;
    return this.#actorOf(this.caller, { address, requestId, noted: (name) => void this.noted.push(name) });
  }

  get requestId(): string {
    return this.#request.id;
  }

  get address(): string {
    return addressOf(this.#request.raw);
  }

  get rawQuery(): string {
    return queryOf(this.#request.raw.url ?? '');
  }

  get method(): string {
    return this.#request.method;
  }

  get headers(): IncomingHttpHeaders {
    return this.#request.raw.headers;
  }

  get signal(): AbortSignal {
    return (this.#signal ??= goneSignal(this.#reply));
  }
}

function goneSignal({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const leave = (): void => {
    if (!raw.writableFinished) controller.abort();
  };
  if (raw.destroyed) leave();
  else raw.once('close', leave);
  return controller.signal;
}

interface Input {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

const NOTHING = {};
const NO_FAULTS: Check = () => [];

/**
 * Reads what a route takes from a request. All faults of path, query and body are named at once.
 *
 * @throws HubError `invalid_request`
 */
export function inputReader<T extends Terms>(route: Route<T>): (request: FastifyRequest) => Input {
  const json = jsonBody(route);
  const params = propertiesOf(route.params);
  const query = propertiesOf(route.query);
  const checkParams = route.params ? compileCheck(route.params) : NO_FAULTS;
  const checkQuery = route.query ? compileCheck(route.query) : NO_FAULTS;
  const checkBody = json ? compileCheck(json) : NO_FAULTS;

  return (request) => {
    const faults: Fault[] = [];
    const found = checkedQuery(queryOf(request.raw.url ?? ''), faults);
    const values = route.params ? readParams(request.params as Record<string, string>, params) : NOTHING;
    faults.push(...checkParams(values, 'path'));
    const body = bodyOf(request.body as Buffer | undefined);
    if (json) faults.push(...checkBody(body));
    if (faults.length > 0) throw httpErrors.invalid_request({ faults });
    return { params: values, query: found, body };
  };

  function checkedQuery(text: string, faults: Fault[]): unknown {
    if (route.openQuery || (text === '' && !route.query)) return NOTHING;
    const values = readQuery(text, query, faults);
    faults.push(...checkQuery(values, 'query'));
    return values;
  }

  function bodyOf(bytes: Buffer | undefined): unknown {
    if (json) return readJson(bytes ?? Buffer.alloc(0));
    return isRaw(route.body) ? (bytes ?? Buffer.alloc(0)) : undefined;
  }
}
