export { httpErrors } from './errors.ts';
export type { Limits } from './limits.ts';
export type { ReadinessChecks } from './readiness.ts';
export { html, page, pagePolicy } from './page.ts';
export { raw, routeDefiner, type Method, type Route, type RouteRequest, type Terms } from './route.ts';
export { createHttp, RouteError, type Http, type HttpOptions } from './server.ts';
