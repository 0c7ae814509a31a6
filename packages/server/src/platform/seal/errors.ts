import { defineErrors } from '../errors.ts';

/** What can be wrong with a sealed value, and with the master key when the hub starts. */
export const sealErrors = defineErrors({
  seal_broken: {
    status: 500,
    title: 'A sealed value cannot be opened',
    retryable: false,
    help: 'The stored value was changed, cut short, or copied from another record or tenant. Enter the secret again, or restore the record from a backup.',
  },
  seal_key_unknown: {
    status: 500,
    title: 'The key of a sealed value is not here',
    retryable: false,
    help: 'The data key was deleted, or is wrapped by a master key this hub was not given. Restore the table of data keys from a backup, or give the former master key as well.',
  },
  master_key_invalid: {
    status: 500,
    title: 'The master key is not a key',
    retryable: false,
    help: 'A master key is 32 random bytes, written as 64 hexadecimal digits or as 44 characters of base64. `openssl rand -hex 32` makes one.',
  },
  master_key_missing: {
    status: 500,
    title: 'The master key is missing',
    retryable: false,
    help: 'The database holds values sealed with a master key. Put its key file back from your backup, or give the key in the configuration. A further node of the same database needs the key of the first.',
  },
  master_key_exposed: {
    status: 500,
    title: 'The master key file is open to others',
    retryable: false,
    help: 'The key file must be a plain file that belongs to the user the hub runs as and that nobody else may touch: `chown` it to that user and `chmod 600` it. If others could read it, change the master key afterwards.',
  },
  master_key_unusable: {
    status: 500,
    title: 'The master key file cannot be used',
    retryable: false,
    help: 'The hub needs to read the key file, and on its first start to write it beside its data. Check that the directory exists, belongs to the user the hub runs as, and has room.',
  },
  master_key_mismatch: {
    status: 500,
    title: 'This is not the master key of this database',
    retryable: false,
    help: 'Start the hub with the master key its database was made with: the key file of the same data directory, or the same configured key on every node. Nothing was changed.',
  },
});
