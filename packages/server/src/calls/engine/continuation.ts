import type { EndState, NewCall, OwnedCall } from './call.ts';

/** A call that has ended, or is about to in the commit that carries its continuation. */
export interface Ended {
  readonly call: OwnedCall;
  readonly state: EndState;
  /** JSON text. */
  readonly output: string | undefined;
  /** JSON text of a `CallError`. */
  readonly error: string | undefined;
}

export interface EndedGroup {
  readonly tenant: string;
  readonly id: string;
  /** What its calls were accepted with. */
  readonly details: string;
}

/** The calls that follow. At once: they share the commit of what they follow. As a promise: they come in a later one. */
export type Following = readonly NewCall[] | Promise<readonly NewCall[]>;

/**
 * What follows an end, given by composition. Both are asked again after a crash before the commit, so they decide by
 * what they are given and touch nothing outside. Calls that follow are made exactly once.
 */
export interface Continuations {
  /** Asked when a call of a run ends. */
  callEnded?(ended: Ended): Following;
  /** Asked once after the last call of a group has ended: the join. */
  groupEnded?(group: EndedGroup): Following;
}
