/**
 * Names and times that an Open Integration Hub spells in two ways: its senders write one, its receivers or its
 * documentation the other. The hub reads both and uses the right one.
 */

/** Wrong spelling → right spelling. */
const NAMES: Readonly<Record<string, string>> = {
  'flow.executed': 'flow.execute',
  'iam.user.removedFormTenant': 'iam.user.removedFromTenant',
};

/** Receivers know the secret service by another prefix than it sends with. */
const PREFIXES: readonly (readonly [string, string])[] = [['secret-service.', 'secrets.']];

/** The one name of an event, however its sender spells it. */
export function canonicalName(name: string): string {
  const prefix = PREFIXES.find(([wrong]) => name.startsWith(wrong));
  if (prefix) return prefix[1] + name.slice(prefix[0].length);
  return Object.hasOwn(NAMES, name) ? (NAMES[name] ?? name) : name;
}

/** Every name under which receivers may wait for an event, the right one first. */
export function spellingsOf(name: string): string[] {
  const right = canonicalName(name);
  const wrong = [
    ...Object.keys(NAMES).filter((key) => NAMES[key] === right),
    ...PREFIXES.filter(([, prefix]) => right.startsWith(prefix)).map(
      ([spelled, prefix]) => spelled + right.slice(prefix.length),
    ),
  ];
  return [right, ...wrong];
}

/** When a schedule fired and fires next, of the `data` of a scheduler's message. */
export interface ScheduleTimes {
  readonly scheduled: unknown;
  readonly next: unknown;
}

export function scheduleTimes(data: Readonly<Record<string, unknown>>): ScheduleTimes {
  return {
    scheduled: data['scheduledTimestamp'] ?? data['sheduledTimestamp'],
    next: data['nextScheduledTimestamp'] ?? data['nextSheduledTimestamp'],
  };
}

/** The times of a schedule under both spellings, for receivers of either. */
export function withScheduleTimes(
  data: Readonly<Record<string, unknown>>,
  { scheduled, next }: ScheduleTimes,
): Record<string, unknown> {
  return {
    ...data,
    scheduledTimestamp: scheduled,
    sheduledTimestamp: scheduled,
    nextScheduledTimestamp: next,
    nextSheduledTimestamp: next,
  };
}
