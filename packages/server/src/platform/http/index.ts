export { httpErrors } from './errors.ts';
export type { Limits } from './limits.ts';
export type { ReadinessChecks } from './readiness.ts';
export { routeDefiner, type Route, type RouteRequest, type Terms } from './route.ts';
export { createHttp, RouteError, type Http, type HttpOptions } from './server.ts';
