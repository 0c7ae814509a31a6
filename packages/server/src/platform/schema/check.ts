import { validator } from '@linkspan/sdk/hub';
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import type { TSchema } from 'typebox';
import type { Fault } from '../errors.ts';
import { pointer } from './pointer.ts';

/** Finds every fault of a value; none when it has the shape. `prefix` stands before each path. */
export type Check = (value: unknown, prefix?: string) => Fault[];

const NONE: Fault[] = [];

/** Compiles a schema. @throws Error with the reason why it cannot be. */
export function compileCheck(schema: TSchema): Check {
  const validate: ValidateFunction = validator.compile(schema);
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
