/** What a program that runs connectors needs beside their definitions. Connectors themselves use none of it. */
export { plainRequest, type PlainRequest } from './plain-request.ts';
export { createRedactor, REDACTED, type Redactor } from './redact.ts';
export { connectorFaults, type CompileSchema, type SchemaCheck } from './rules.ts';
export { secretPathsOf, textsAt, walkSchema, withoutMarkers, type SchemaNode } from './schema-walk.ts';
export { validator } from './validator.ts';
