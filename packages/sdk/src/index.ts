export {
  defineAction,
  type Action,
  type Effect,
  type Example,
  type PolicyDefaults,
  type Probed,
  type Repeat,
} from './action.ts';
export {
  deliveryOutput,
  type CallbackKind,
  type CallbackOptions,
  type Delivery,
  type DeliveryAnswer,
  type Reaction,
  type Verification,
} from './callback.ts';
export { defineConnector, type Connector } from './connector.ts';
export type {
  ActionContext,
  ActionLog,
  BaseContext,
  ConnectRequest,
  DeliveryContext,
  OptionsContext,
  OptionsPage,
  Outside,
  SocketTls,
} from './context.ts';
export {
  ActionError,
  TransportError,
  UnknownOutcome,
  Waiting,
  type ErrorDeclaration,
  type ErrorTable,
  type Failure,
  type RetryClass,
} from './errors.ts';
export { retryAfterOf, retryClassOf, type Http, type HttpRequest, type HttpResponse } from './http.ts';
export { file, json, object, options, record, secret, Type, type Static, type TSchema } from './schema.ts';
