import { HubError } from '../errors.ts';
import type { DataKeyStore, WrappedKey } from './data-key-store.ts';
import type { Wrapping } from './wrapping.ts';

export interface Rewrapped {
  /** How many data keys were wrapped anew. */
  readonly rewrapped: number;
  /**
   * Ids of data keys that no master key at hand opens. They were left as they are. While there is one, the former
   * master keys must be kept.
   */
  readonly unopened: readonly string[];
}

/**
 * Wraps every data key with the current master key. May be stopped and run again at any time, and nodes may seal
 * meanwhile. Every node must have been given the new master key before; one that still lacks it may go on making
 * keys under the former, so passes are made until one finds nothing to do.
 *
 * The data keys themselves stay. If the former master key leaked together with the database, rotate the scopes too
 * and reseal what they hold.
 */
export async function rewrapAll(store: DataKeyStore, wrapping: Wrapping): Promise<Rewrapped> {
  let rewrapped = 0;
  for (;;) {
    const pass = await rewrapOnce(store, wrapping);
    rewrapped += pass.rewrapped;
    if (pass.rewrapped === 0) return { rewrapped, unopened: pass.unopened };
  }
}

async function rewrapOnce(store: DataKeyStore, wrapping: Wrapping): Promise<Rewrapped> {
  const unopened: string[] = [];
  let rewrapped = 0;
  for await (const key of store.all()) {
    if (wrapping.isCurrent(key)) continue;
    const fresh = tryRewrap(wrapping, key);
    if (!fresh) unopened.push(key.id);
    else if (await store.replace(key, fresh)) rewrapped += 1;
  }
  return { rewrapped, unopened };
}

function tryRewrap(wrapping: Wrapping, key: WrappedKey): WrappedKey | undefined {
  try {
    return wrapping.rewrap(key);
  } catch (error) {
    if (error instanceof HubError) return undefined;
    throw error;
  }
}
