import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { RE2JS } from 're2js';
import type { TSchema } from 'typebox';
import type { Fault } from '../errors.ts';
import { pointer } from './pointer.ts';

/**
 * Validation by JSON Schema 2020-12. Values are never changed: nothing is coerced, filled in or taken out, and all
 * faults are found. Every `pattern` runs in an engine whose time grows with the length of the text alone; what
 * such an engine cannot do (look-ahead, back-references) does not compile.
 */
const ajv = new Ajv2020({
  allErrors: true,
  strict: true,
  allowUnionTypes: true,
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  code: { regExp: Object.assign(linearRegExp, { code: 'linearRegExp' }) },
});
formats.default(ajv, {
  formats: ['date', 'date-time', 'time', 'duration', 'uuid', 'uri', 'email', 'hostname', 'ipv4', 'ipv6'],
});

function linearRegExp(pattern: string): { test(text: string): boolean; toString(): string } {
  const compiled = RE2JS.compile(pattern);
  // The validator keeps one engine for each text this gives, so it has to tell patterns apart.
  return { test: (text) => compiled.test(text), toString: () => pattern };
}

/** Finds every fault of a value; none when it has the shape. `prefix` stands before each path. */
export type Check = (value: unknown, prefix?: string) => Fault[];

const NONE: Fault[] = [];

/** Compiles a schema. @throws Error with the reason why it cannot be. */
export function compileCheck(schema: TSchema): Check {
  const validate: ValidateFunction = ajv.compile(schema);
  return (value, prefix = '') =>
    validate(value) ? NONE : (validate.errors ?? []).map((error) => faultOf(error, prefix));
}

function faultOf(error: ErrorObject, prefix: string): Fault {
  const name = nameIn(error);
  const inner = name === undefined ? '' : pointer([name]);
  return {
    path: prefix + shortened(error.instancePath) + inner,
    rule: error.keyword,
    message: messageOf(error),
  };
}

/** The name a fault is about where it is not the value itself: one that is missing or one too many. */
function nameIn({ keyword, params }: ErrorObject): string | undefined {
  const { missingProperty, additionalProperty, unevaluatedProperty } = params as Record<string, string>;
  if (keyword === 'required') return missingProperty;
  return additionalProperty ?? unevaluatedProperty;
}

function messageOf({ keyword, params, message }: ErrorObject): string {
  if (keyword === 'required') return 'is missing';
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties') return 'is not known here';
  if (keyword === 'enum')
    return `must be one of ${(params as { allowedValues: unknown[] }).allowedValues.join(', ')}`;
  return message ?? `breaks the rule ${keyword}`;
}

function shortened(path: string): string {
  return path.length > 400 ? `${path.slice(0, 400)}…` : path;
}
