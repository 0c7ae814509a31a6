import { sealErrors } from './errors.ts';
import { makeKeyFile, readKeyFile } from './key-file.ts';
import type { MasterKey } from './master-key.ts';
import { parseMasterKey } from './master-key.ts';

export interface MasterKeySource {
  /** The configured key, as text. It wins over the file, which is then not looked at. */
  readonly given?: string | undefined;
  /** The key file. */
  readonly file: string;
  /** Whether a missing file is made. Only true while nothing is sealed yet: a new key opens nothing old. */
  readonly make: boolean;
}

export interface LoadedMasterKey {
  readonly master: MasterKey;
  /** `made`: tell the operator to keep a copy of the file. */
  readonly origin: 'given' | 'file' | 'made';
}

/**
 * Finds the master key, or makes one.
 * @throws master_key_invalid, master_key_missing, master_key_exposed, master_key_unusable
 */
export async function loadMasterKey({ given, file, make }: MasterKeySource): Promise<LoadedMasterKey> {
  if (given !== undefined) return { master: parseMasterKey(given, 'The configured key'), origin: 'given' };
  const found = await readKeyFile(file);
  if (found !== undefined) return { master: parseMasterKey(found, file), origin: 'file' };
  if (!make) throw sealErrors.master_key_missing({ detail: `There is no key file ${file}.` });
  await makeKeyFile(file);
  const made = await readKeyFile(file);
  if (made === undefined)
    throw sealErrors.master_key_unusable({ detail: `${file} vanished while it was made.` });
  return { master: parseMasterKey(made, file), origin: 'made' };
}
