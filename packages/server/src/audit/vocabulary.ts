/**
 * Everything the audit can say: what was done (`resource.action`) and what that means. Routes declare one of
 * these names or a reason for none; a name that is not here does not compile.
 */
export const auditVocabulary = {
  'call.accept': 'A call was accepted. Calls that follow it in its run leave no entry of their own.',
  'call.cancel': 'Somebody asked for a call to be cancelled.',
  'call.redrive': 'Ended calls were to be done again, or somebody counted how many that would be.',
  'call.resolve': 'Somebody decided about a call that waited for a person.',
  'callback.refuse':
    'A request to a callback was refused: it was forged, foreign, unverified, too late, or one too many.',
  'callback.replay': 'A delivery to a callback was handed in again.',
  'consumer.replay':
    'A consumer was to try again what it had given up, or somebody counted what that would be.',
  'consumer.seek': 'A consumer was moved to another place in the log of events.',
  'event.publish': 'An event was published from outside.',
  'tenant.create': 'A tenant was made.',
  'token.create': 'A token was handed out. The entry names it, never its text.',
  'token.revoke': 'A token was revoked.',
} as const;

/** A name of the vocabulary. */
export type AuditName = keyof typeof auditVocabulary;

/** How it ended: done, refused by a rule, or failed on the way. */
export type AuditOutcome = 'succeeded' | 'refused' | 'failed';

/** Who acts, from where, in which request. Handed through every operation that leaves a trace. */
export interface Actor {
  readonly tenant: string;
  /** The acting principal; absent when the hub itself acts. */
  readonly principal?: string;
  /** The token it used; absent for the token of the configuration and for the hub itself. */
  readonly token?: string;
  readonly address?: string;
  readonly requestId?: string;
  /** Told of each name as its entry is written, so that a route's promise to write one can be checked. */
  readonly noted?: (name: AuditName) => void;
}

/** One thing that was done. */
export interface AuditEntry {
  readonly name: AuditName;
  /** The id of what it was done to. */
  readonly target?: string;
  /** Defaults to `succeeded`. */
  readonly outcome?: AuditOutcome;
  /** What changed, free of secrets: names and limits, never values a secret could hide in. */
  readonly changes?: Readonly<Record<string, unknown>>;
}
