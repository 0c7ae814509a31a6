import { dirname } from 'node:path';

/** The root of the repository, absolute. */
export const ROOT = dirname(import.meta.dirname);
