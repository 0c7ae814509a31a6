import type { TSchema } from 'typebox';
import type { Fault } from '../errors.ts';
import { pointer } from '../schema/index.ts';

/**
 * Query parameters and path values arrive as text. A text becomes a number or a boolean only where the schema
 * declares one, and only when it is written exactly so; otherwise it stays a text, which the check then refuses.
 */
interface Kind {
  readonly type?: string;
  readonly items?: Kind;
}

type Properties = Readonly<Record<string, Kind>>;

const NUMBER = /^-?(?:0|[1-9]\d{0,15})(?:\.\d{1,15})?$/;

function converted(text: string, { type }: Kind): unknown {
  if (type === 'integer' || type === 'number') return NUMBER.test(text) ? Number(text) : text;
  if (type === 'boolean') return text === 'true' || (text === 'false' ? false : text);
  return text;
}

/** The declared properties of a schema of parameters. */
export function propertiesOf(schema: TSchema | undefined): Properties {
  const { properties = {} }: { properties?: Properties } = schema ?? {};
  return properties;
}

/** Converts the values of a path. */
export function readParams(
  texts: Readonly<Record<string, string>>,
  properties: Properties,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, converted(text, properties[name] ?? {})]),
  );
}

/**
 * Reads a query (without its question mark): every parameter is declared, none is repeated unless it is an array,
 * and the percent-encoding is valid. What is wrong is added to `faults`.
 */
export function readQuery(query: string, properties: Properties, faults: Fault[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decoded(equals < 0 ? part : part.slice(0, equals));
    const text = decoded(equals < 0 ? '' : part.slice(equals + 1));
    if (name === undefined || text === undefined)
      faults.push({
        path: `query${pointer([name ?? ''])}`,
        rule: 'encoding',
        message: 'is not valid percent-encoded UTF-8',
      });
    else take(values, name, text, properties, faults);
  }
  return values;
}

function take(
  values: Record<string, unknown>,
  name: string,
  text: string,
  properties: Properties,
  faults: Fault[],
): void {
  const kind = Object.hasOwn(properties, name) ? properties[name] : undefined;
  const fault = (rule: string, message: string): void =>
    void faults.push({ path: `query${pointer([name])}`, rule, message });
  if (!kind) fault('additionalProperties', 'is not known here');
  else if (kind.type === 'array') {
    const list = (values[name] ??= []) as unknown[];
    list.push(converted(text, kind.items ?? {}));
  } else if (Object.hasOwn(values, name)) fault('repeated', 'occurs more than once');
  else values[name] = converted(text, kind);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
