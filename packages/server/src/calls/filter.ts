import type { CallState } from './engine/index.ts';

/** Which calls a list is about. */
export interface CallFilter {
  /** `running` includes what is about to end. */
  readonly state?: CallState;
  readonly action?: string;
  readonly principal?: string;
  /** Calls asked for at this time or later, and before that one; milliseconds since the epoch. */
  readonly from?: number;
  readonly to?: number;
  /** Older than this call. */
  readonly after?: string;
}

/** Milliseconds that fit into an id. */
const LATEST = 2 ** 48 - 1;

/** No id made at this time or later is lower. `ms` since the epoch. */
export function lowestIdAt(ms: number): string {
  const time = Math.min(Math.max(0, Math.trunc(ms)), LATEST)
    .toString(16)
    .padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`;
}
