import { testDataKeyStore } from './data-key-store.contract.ts';
import { MemoryDataKeyStore } from './memory-data-key-store.ts';

testDataKeyStore('memory', async () => ({
  store: new MemoryDataKeyStore(),
  own: 'tenant-a',
  other: 'tenant-b',
}));
