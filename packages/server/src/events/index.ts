export { eventCatalogue, type EventDraft, type EventName } from './catalogue.ts';
export { asyncApiDocument, eventsPage } from './documents.ts';
export { eventErrors } from './errors.ts';
export type { CloudEvent } from './event.ts';
export { createEvents, type Events } from './events.ts';
export type { Listener } from './listeners/listener.ts';
export { openStream, type EventPorts } from './operations.ts';
export { eventRoutes } from './routes.ts';
