/**
 * An event as it travels: a CloudEvents 1.0 record in its JSON form. `tenant`, `actor`, `correlation` and `causation`
 * are the hub's extension attributes, `partitionkey` is the one of the CloudEvents partitioning extension. Further
 * attributes are those its publisher gave it.
 */
export interface CloudEvent {
  readonly specversion: '1.0';
  /** Together with `source` it tells one event from every other: whoever reads an event twice knows it by this. */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** Events of one key stay in order. */
  readonly partitionkey: string;
  readonly time: string;
  readonly tenant: string;
  readonly subject?: string;
  /** The principal that caused it. */
  readonly actor?: string;
  /** What belongs together: a run, a conversation, a business case. */
  readonly correlation?: string;
  /** The id of the event or call that led to this one. */
  readonly causation?: string;
  readonly datacontenttype?: string;
  readonly dataschema?: string;
  readonly data?: unknown;
  readonly [attribute: string]: unknown;
}

/** Where an event stands in the log. */
export interface Position {
  readonly transaction: number;
  readonly position: number;
}

/** Before everything. */
export const START: Position = { transaction: 0, position: 0 };

/** An event with its place in the log. */
export interface LoggedEvent {
  readonly event: CloudEvent;
  readonly at: Position;
}

/** The source of the hub's own events. */
export const HUB_SOURCE = '/linkspan';

/** Whether a type is of this name or below it: `linkspan.call` and `linkspan.call.` both take `linkspan.call.ended`. */
export function isBelow(type: string, prefix: string): boolean {
  return type === prefix || type.startsWith(prefix.endsWith('.') ? prefix : `${prefix}.`);
}

export function comparePositions(a: Position, b: Position): number {
  return a.transaction - b.transaction || a.position - b.position;
}

export function furthest(a: Position, b: Position): Position {
  return comparePositions(a, b) < 0 ? b : a;
}

/** `812.40`, as `Last-Event-ID` carries it. */
export function positionText({ transaction, position }: Position): string {
  return `${transaction}.${position}`;
}

/** Undefined when the text is no position. */
export function readPosition(text: string): Position | undefined {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(text);
  return match ? { transaction: Number(match[1]), position: Number(match[2]) } : undefined;
}
