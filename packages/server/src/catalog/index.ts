export type { CatalogAction, CatalogConnector } from './action.ts';
export { createCatalog, type Catalog, type ForeignConnectors } from './catalog.ts';
export { catalogErrors } from './errors.ts';
export {
  createCodeExecutor,
  type CodeAttempt,
  type CodeExecutor,
  type CodeExecutorOptions,
  type OpenCallback,
} from './origins/code/execute.ts';
export { lookUp, type LookUp } from './origins/code/look-up.ts';
export type { AttemptError, AttemptOutcome } from './origins/code/outcome.ts';
export {
  createCodeReceiver,
  type CodeDelivery,
  type CodeReceiver,
  type DeliveryOutcome,
} from './origins/code/receive.ts';
export { catalogRoutes } from './routes.ts';
