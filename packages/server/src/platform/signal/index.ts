export { createSignal } from './node-signal.ts';
export type { Listener, Signal, SignalOptions, SignalTiming } from './signal.ts';
