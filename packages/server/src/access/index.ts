export { createAuthenticator, type Authenticator } from './authentication.ts';
export { defineRoute, type HubRoute, type HubTerms } from './define-route.ts';
export { accessErrors } from './errors.ts';
export { ensureAdministrator, MAIN_TENANT, type Administrator } from './first-start.ts';
export type { AccessPorts } from './operations.ts';
export { permissionCatalogue, permits, type Permission } from './permission.ts';
export { accessRoutes } from './routes.ts';
export { actorOf, type Caller } from './token.ts';
