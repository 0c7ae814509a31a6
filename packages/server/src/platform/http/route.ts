import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Static, TSchema } from 'typebox';
import type { ErrorMaker } from '../errors.ts';

/**
 * What a route is. The platform knows no permission, no audit name and no caller; the domain that does binds
 * them once (`routeDefiner`), and from then on a route that lacks one of them does not compile.
 */
export interface Terms {
  readonly permission: string;
  readonly audit: string;
  readonly caller: object;
  readonly actor: object;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * Who may call a route: whoever holds the permission, everybody for a stated reason, or, for what machines on the
 * same host read, whoever holds the permission and every direct client on the loopback interface.
 */
export type Access<T extends Terms> =
  | T['permission']
  | { readonly public: string }
  | { readonly permission: T['permission']; readonly openToLoopback: string };

/** The audit entry a successful call leaves, or the reason why it leaves none. */
export type Audited<T extends Terms> = T['audit'] | { readonly none: string };

/** A body handed on as bytes, of any media type unless some are named. `limit` in bytes. */
export interface RawBody {
  readonly raw: true;
  readonly limit: number;
  readonly types?: readonly string[];
}

/** Declares a body that is not read as JSON. */
export function raw(options: { limit: number; types?: readonly string[] }): RawBody {
  return { raw: true, ...options };
}

/** What a request body may be: JSON of a schema, bytes, or `'none'`. */
export type BodySpec = TSchema | RawBody | 'none';

/** A reply: JSON of a schema, bytes or text of a media type (possibly streamed), or nothing but a status. */
export type ReplySpec =
  | { readonly description: string; readonly schema: TSchema }
  | { readonly description: string; readonly media: string }
  | { readonly description: string; readonly empty: true };

export type Replies = { readonly [status: number]: ReplySpec };

type ReplyBody<S> = S extends { schema: infer J extends TSchema }
  ? { readonly body: Static<J> }
  : S extends { media: string }
    ? { readonly body: string | Buffer | Readable }
    : { readonly body?: undefined };

/** What a handler returns: one of the declared statuses with its own body. */
export type Reply<R extends Replies> = {
  [S in keyof R & number]: {
    readonly status: S;
    readonly headers?: Readonly<Record<string, string>>;
  } & ReplyBody<R[S]>;
}[keyof R & number];

type BodyOf<B> = B extends RawBody
  ? Buffer
  : B extends 'none'
    ? undefined
    : B extends TSchema
      ? Static<B>
      : never;

type CallerOf<T extends Terms, A, K extends 'caller' | 'actor'> = A extends string
  ? T[K]
  : A extends { public: string }
    ? undefined
    : T[K] | undefined;

/** A request that was let in: its input has the declared shape. */
export interface RouteRequest<T extends Terms, A = unknown, P = unknown, Q = unknown, B = unknown> {
  readonly caller: CallerOf<T, A, 'caller'>;
  /** Who acts, for the audit. */
  readonly actor: CallerOf<T, A, 'actor'>;
  readonly requestId: string;
  /** Address of the peer of the connection; never what a header claims. */
  readonly address: string;
  readonly params: P;
  readonly query: Q;
  /** The query as it came, without its question mark. */
  readonly rawQuery: string;
  readonly method: string;
  readonly body: B;
  /** For routes that need more than their declared input: signatures over raw bodies, conditional requests. */
  readonly headers: IncomingHttpHeaders;
  /** Aborts when the client goes away before it has the whole answer. */
  readonly signal: AbortSignal;
}

interface Described<T extends Terms, R extends Replies> {
  /** One line: what a call does. */
  readonly summary: string;
  readonly description?: string;
  /** Headings of the documentation the route stands under; the first one counts. */
  readonly tags?: readonly string[];
  readonly audit: Audited<T>;
  readonly replies: R;
  /** Errors of its own it may answer with; those of every route need not be named. */
  readonly errors?: readonly ErrorMaker[];
  /** Any query is let in, unread, for senders whose parameters are not ours to name: see `rawQuery`. */
  readonly openQuery?: true;
  /** Bytes a JSON body may have; the server's limit when absent. */
  readonly bodyLimit?: number;
}

/** Any route, as the server sees it. Made by the function `routeDefiner` gives. */
export interface Route<T extends Terms> extends Described<T, Replies> {
  readonly method: Method;
  /** `/api/v1/tokens/:id` */
  readonly path: string;
  readonly access: Access<T>;
  readonly params?: TSchema;
  readonly query?: TSchema;
  readonly body?: BodySpec;
  readonly handle: (request: AnyRequest<T>) => AnyReply | Promise<AnyReply>;
}

export type AnyRequest<T extends Terms> = RouteRequest<T, { permission: string; openToLoopback: string }>;

export interface AnyReply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

type NeedsParams<Path> = Path extends `${string}/:${string}`
  ? { readonly params: TSchema }
  : { readonly params?: never };
type NeedsBody<M> = M extends 'GET' | 'DELETE' ? { readonly body?: never } : { readonly body: BodySpec };

/** A route as it is written: what its method and path call for cannot be left out. */
export type RouteDefinition<
  T extends Terms,
  M extends Method,
  Path extends `/${string}`,
  A extends Access<T>,
  P extends TSchema,
  Q extends TSchema,
  B extends BodySpec,
  R extends Replies,
  O extends Reply<R>,
> = Described<T, R> & {
  readonly method: M;
  readonly path: Path;
  readonly access: A;
  /** Schema of the values in the path; texts become numbers or booleans only where the schema says so. */
  readonly params?: P;
  /** Schema of the query; without one the route takes no query parameter. */
  readonly query?: Q;
  readonly body?: B;
  readonly handle: (request: RouteRequest<T, A, Static<P>, Static<Q>, BodyOf<B>>) => O | Promise<O>;
} & NeedsParams<Path> &
  NeedsBody<M>;

/** Binds what a domain knows; gives the function all routes are written with. */
export function routeDefiner<T extends Terms>() {
  return <
    const M extends Method,
    const Path extends `/${string}`,
    const A extends Access<T>,
    R extends Replies,
    P extends TSchema = TSchema,
    Q extends TSchema = TSchema,
    B extends BodySpec = 'none',
    // Inferred from the handler, so that `status: 200` stays 200.
    const O extends Reply<R> = Reply<R>,
  >(
    route: RouteDefinition<T, M, Path, A, P, Q, B, R, O>,
  ): Route<T> => route as unknown as Route<T>;
}

/** Whether a body is handed on as bytes. */
export function isRaw(body: BodySpec | undefined): body is RawBody {
  return typeof body === 'object' && (body as Partial<RawBody>).raw === true;
}

/** The schema of a body that is read as JSON. */
export function jsonBody(route: { readonly body?: BodySpec }): TSchema | undefined {
  return route.body === undefined || route.body === 'none' || isRaw(route.body) ? undefined : route.body;
}

/** The permission a route asks for; undefined for public ones. */
export function permissionOf<T extends Terms>(access: Access<T>): T['permission'] | undefined {
  if (typeof access === 'string') return access;
  return 'permission' in access ? access.permission : undefined;
}

/** The reason why a route asks nobody, or not everybody, who they are. */
export function reasonOf<T extends Terms>(access: Access<T>): string | undefined {
  if (typeof access === 'string') return undefined;
  return 'public' in access ? access.public : access.openToLoopback;
}
