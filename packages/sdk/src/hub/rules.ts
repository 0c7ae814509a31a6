import { EFFECTS, REPEATS, type Action } from '../action.ts';
import type { Connector } from '../connector.ts';
import { RETRY_CLASSES } from '../errors.ts';
import { walkSchema, withoutMarkers, type SchemaNode } from './schema-walk.ts';

/** What is wrong with a value; empty when nothing is. `path` is a JSON pointer. */
export type SchemaCheck = (value: unknown) => readonly { readonly path: string; readonly message: string }[];

/** Makes a check of a schema. Throws when the schema itself is wrong. */
export type CompileSchema = (schema: SchemaNode) => SchemaCheck;

const ID = /^[a-z0-9][a-z0-9-]{0,62}$/;
const CODE = /^[a-z][a-z0-9_]{0,62}$/;
const SECRET_NAME = /passw|passphrase|secret|token|api_?-?key|private_?-?key|credential|bearer/i;

/**
 * Everything wrong with a connector, in sentences that begin with the place. The same rules for the hub's start and for
 * the conformance suite. Takes anything: a connector may come from plain JavaScript.
 */
export function connectorFaults(connector: unknown, compile: CompileSchema): string[] {
  if (!isRecord(connector)) return ['the connector is not an object: export what defineConnector returns'];
  const { id, title, description, actions }: Partial<Connector> = connector;
  const faults = [
    ...(isId(id) ? [] : ['id: must be lower-case letters, digits and hyphens, at most 63']),
    ...textFaults({ title, description }),
  ];
  if (!Array.isArray(actions) || actions.length === 0) return [...faults, 'actions: there is none'];
  return [...faults, ...repeated(actions), ...actions.flatMap((action) => actionFaults(action, compile))];
}

function repeated(actions: readonly Action[]): string[] {
  const ids = actions.map((action) => action?.id);
  const twice = new Set(ids.filter((id, at) => ids.indexOf(id) !== at));
  return [...twice].map((id) => `actions: there are two of the id ${id}`);
}

function actionFaults(value: unknown, compile: CompileSchema): string[] {
  if (!isRecord(value)) return ['actions: one is not an object: list what defineAction returns'];
  const action = value as unknown as Action;
  const where = isId(action.id) ? action.id : 'an action';
  const faults = [
    ...(isId(action.id) ? [] : ['id: must be lower-case letters, digits and hyphens, at most 63']),
    ...textFaults(action),
    ...behaviourFaults(action),
    ...policyFaults(action.policy),
    ...errorFaults(action.errors),
    ...inputFaults(action),
    ...outputFaults(action),
  ];
  const shaped = faults.length > 0 ? [] : [...compileFaults(action, compile)];
  return [...faults, ...shaped].map((fault) => `${where}: ${fault}`);
}

function textFaults(about: { title?: unknown; description?: unknown }): string[] {
  return (['title', 'description'] as const).flatMap((name) =>
    typeof about[name] === 'string' && about[name].trim() !== '' ? [] : [`${name}: is missing`],
  );
}

function behaviourFaults(action: Action): string[] {
  const { effect, repeat } = action;
  const optional = (['probe', 'target', 'onWebhook', 'onRedirect', 'verify'] as const).filter(
    (name) => action[name] !== undefined,
  );
  const known = typeof repeat === 'function' || REPEATS.includes(repeat);
  return [
    ...(EFFECTS.includes(effect) ? [] : [`effect: must be one of ${EFFECTS.join(', ')}`]),
    ...(known ? [] : [`repeat: must be one of ${REPEATS.join(', ')}, or a function`]),
    ...(repeat === 'probed' && !action.probe ? ['probe: is missing, and repeat says probed'] : []),
    ...(typeof action.run === 'function' ? [] : ['run: must be a function']),
    ...optional.flatMap((name) =>
      typeof action[name] === 'function' ? [] : [`${name}: must be a function`],
    ),
  ];
}

function policyFaults(policy: unknown): string[] {
  if (policy === undefined) return [];
  if (!isRecord(policy)) return ['policy: must be an object'];
  const times = ['delay', 'maxDelay', 'totalTime', 'attemptTimeout', 'jitter'];
  return Object.entries(policy).flatMap(([name, value]) => {
    if (name === 'retryOn')
      return Array.isArray(value) && value.every((each) => RETRY_CLASSES.includes(each))
        ? []
        : [`policy.retryOn: must list some of ${RETRY_CLASSES.join(', ')}`];
    const least = name === 'attempts' || name === 'factor' ? 1 : times.includes(name) ? 0 : undefined;
    if (least === undefined) return [`policy.${name}: is not known`];
    return typeof value === 'number' && Number.isFinite(value) && value >= least
      ? []
      : [`policy.${name}: must be a number of at least ${least}`];
  });
}

function errorFaults(errors: unknown): string[] {
  if (!isRecord(errors)) return ['errors: is missing; an action that never fails has an empty table'];
  return Object.entries(errors).flatMap(([code, declared]) => {
    const { meaning, retry } = isRecord(declared) ? declared : {};
    return [
      ...(CODE.test(code) ? [] : [`errors.${code}: a code is lower-case letters, digits and underscores`]),
      ...(typeof meaning === 'string' && meaning.trim() !== '' ? [] : [`errors.${code}: has no meaning`]),
      ...(RETRY_CLASSES.some((known) => known === retry)
        ? []
        : [`errors.${code}: retry must be one of ${RETRY_CLASSES.join(', ')}`]),
    ];
  });
}

function inputFaults({ input, options }: Action): string[] {
  const faults = schemaFaults('input', input);
  if (!isRecord(input)) return faults;
  walkSchema(input, (node, path) => {
    const source = node['x-options'];
    if (source === undefined) return;
    if (typeof source !== 'string' || typeof options?.[source] !== 'function')
      faults.push(`input${path}: options.${JSON.stringify(source)}, where its values come from, is missing`);
  });
  const covered: string[] = [];
  walkSchema(input, (node, path) => {
    if (node['x-secret'] === true) covered.push(path);
    if (!covered.some((above) => path === above || path.startsWith(`${above}/`)) && looksSecret(node, path))
      faults.push(`input${path}: looks like a secret; wrap it in secret(…), or say 'x-secret': false`);
  });
  return faults;
}

function outputFaults({ output }: Action): string[] {
  const faults = schemaFaults('output', output);
  if (isRecord(output))
    walkSchema(output, (node, path) => {
      if (node['x-secret'] === true)
        faults.push(`output${path}: an output may hold no secret; it is not sealed`);
    });
  return faults;
}

function looksSecret(node: SchemaNode, path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return node['type'] === 'string' && node['x-secret'] !== false && SECRET_NAME.test(name);
}

/** What a form, a tool or a person could not make sense of. */
function schemaFaults(where: string, schema: unknown): string[] {
  if (!isRecord(schema) || schema['type'] !== 'object') return [`${where}: must be the schema of an object`];
  const faults: string[] = [];
  walkSchema(schema, (node, path) => {
    const at = `${where}${path}`;
    if ('$ref' in node || '$defs' in node) faults.push(`${at}: $ref is not supported; write the schema out`);
    if (node['type'] === 'object' && !CLOSING.some((word) => word in node))
      faults.push(`${at}: is open; build it with object(…), or with record(…) for any names`);
    if (!CONSTRAINTS.some((word) => word in node) && typeof node['description'] !== 'string')
      faults.push(`${at}: allows anything without a description; see json(…)`);
  });
  return faults;
}

const CLOSING = ['additionalProperties', 'unevaluatedProperties', 'patternProperties'];
const CONSTRAINTS = ['type', 'anyOf', 'oneOf', 'allOf', 'const', 'enum', 'not', 'if'];

function compileFaults(action: Action, compile: CompileSchema): string[] {
  const faults: string[] = [];
  const compiled = (where: 'input' | 'output'): SchemaCheck | undefined => {
    try {
      return compile(withoutMarkers(action[where]));
    } catch (error) {
      faults.push(`${where}: ${(error as Error).message}`);
      return undefined;
    }
  };
  const [input, output] = [compiled('input'), compiled('output')];
  return input && output ? exampleFaults(action, input, output) : faults;
}

function exampleFaults({ examples, errors }: Action, input: SchemaCheck, output: SchemaCheck): string[] {
  if (!Array.isArray(examples) || examples.length === 0) return ['examples: there is none'];
  const titles = examples.map(({ title }) => title);
  return examples.flatMap((example, at) => {
    const name = `examples "${example.title}"`;
    return [
      ...(titles.indexOf(example.title) === at ? [] : [`${name}: there are two of this title`]),
      ...input(example.input).map(({ path, message }) => `${name}: input${path} ${message}`),
      ...(example.output === undefined
        ? []
        : output(example.output).map(({ path, message }) => `${name}: output${path} ${message}`)),
      ...(example.error === undefined || Object.hasOwn(errors, example.error)
        ? []
        : [`${name}: its error ${example.error} is not declared`]),
    ];
  });
}

function isId(id: unknown): id is string {
  return typeof id === 'string' && ID.test(id);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
