import type { Caller } from '../access/index.ts';
import type { Database } from '../platform/database/index.ts';
import { callErrors } from './errors.ts';
import type { CallFilter } from './filter.ts';
import * as store from './store.ts';

/** Lists of calls: the newest first, in pages that neither skip nor repeat a call, whatever ends between two of them. */

export interface CallPage {
  readonly calls: readonly store.ListedCall[];
  /** `after` of the next page; a page may be short, even empty, and have a next one. */
  readonly next: string | null;
}

/** Calls of either kind one page looks at when its filter may let few of them through (promise 8). */
const MOST_LOOKED_AT = 5_000;

/** A page of calls. Fails with `period_empty`. */
export async function listCalls(
  { database }: { readonly database: Database },
  { tenant }: Pick<Caller, 'tenant'>,
  filter: CallFilter,
  limit: number,
): Promise<CallPage> {
  if (filter.from !== undefined && filter.to !== undefined && filter.from >= filter.to)
    throw callErrors.period_empty();
  const picks = filter.state ?? filter.action ?? filter.principal;
  const most = picks === undefined ? limit + 1 : MOST_LOOKED_AT;
  const { calls, lowest } = await database.asTenant(tenant, (tx) =>
    store.listCalls(tx, tenant, filter, most),
  );
  const shown = calls.slice(0, limit);
  return { calls: shown, next: calls.length > limit ? (shown.at(-1)?.id ?? null) : (lowest ?? null) };
}
