export { createCallbacks, type Callbacks } from './bundle.ts';
export { callbackErrors } from './errors.ts';
export { callbackRoutes } from './routes.ts';
