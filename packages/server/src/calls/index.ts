export { callbackErrors, callbackRoutes, createCallbacks, type Callbacks } from './callbacks/index.ts';
export {
  createEngine,
  engineErrors,
  type Continuations,
  type Engine,
  type Executor,
} from './engine/index.ts';
export { createEnds, type Ends } from './ends.ts';
export { callErrors } from './errors.ts';
export type { ActionPort, CallPorts } from './operations.ts';
export { callRoutes } from './routes.ts';
export { openingSecrets } from './secret-input.ts';
