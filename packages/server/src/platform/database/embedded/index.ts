export { startEmbedded, type EmbeddedOptions, type EmbeddedPostgres } from './embedded.ts';
export { embeddedErrors } from './errors.ts';
