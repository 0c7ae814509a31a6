export { compileCheck, type Check } from './check.ts';
export { eachSchema, type SchemaNode } from './nodes.ts';
export { pointer } from './pointer.ts';
