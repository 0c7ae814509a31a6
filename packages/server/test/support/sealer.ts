import { randomBytes } from 'node:crypto';
import { createSealer, type Sealer } from '../../src/platform/seal/index.ts';
import { MasterKey } from '../../src/platform/seal/master-key.ts';
import { MemoryDataKeyStore } from '../../src/platform/seal/memory-data-key-store.ts';
import { HandClock } from './clock.ts';

/** A sealer whose keys are gone with the test. */
export function memorySealer(): Sealer {
  const master = new MasterKey(randomBytes(32));
  return createSealer({ store: new MemoryDataKeyStore(), master, clock: new HandClock() });
}
