/** A schema as plain JSON. */
export type SchemaNode = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is SchemaNode =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const mapOf = (value: unknown): [string, SchemaNode][] =>
  Object.entries(isNode(value) ? value : {}).filter((entry): entry is [string, SchemaNode] =>
    isNode(entry[1]),
  );

const listOf = (value: unknown): SchemaNode[] => (Array.isArray(value) ? value.filter(isNode) : []);

/** The schemas within a schema, each with the step that leads to the values it is about: '' for the same value. */
function inner(node: SchemaNode): [string, SchemaNode][] {
  const same = ['anyOf', 'oneOf', 'allOf'].flatMap((word) => listOf(node[word]));
  const branches = ['if', 'then', 'else', 'not'].map((word) => node[word]).filter(isNode);
  const every = ['items', 'additionalProperties', 'unevaluatedProperties', 'contains', 'propertyNames'];
  const values = [...every.map((word) => node[word]).filter(isNode), ...listOf(node['prefixItems'])];
  return [
    ...mapOf(node['properties']).map(([name, child]): [string, SchemaNode] => [`/${escaped(name)}`, child]),
    ...[...same, ...branches].map((child): [string, SchemaNode] => ['', child]),
    ...values.map((child): [string, SchemaNode] => ['/*', child]),
    ...mapOf(node['patternProperties']).map(([, child]): [string, SchemaNode] => ['/*', child]),
  ];
}

/**
 * Visits a schema and every schema within it. `path` leads to the values it is about: a JSON pointer in which `*`
 * stands for every item or every name.
 */
export function walkSchema(
  node: SchemaNode,
  visit: (node: SchemaNode, path: string) => void,
  path = '',
): void {
  visit(node, path);
  for (const [step, child] of inner(node)) walkSchema(child, visit, path + step);
}

/** Where the secrets of an input are: paths as `walkSchema` gives them. Everything below such a path is secret. */
export function secretPathsOf(schema: SchemaNode): string[] {
  const paths = new Set<string>();
  walkSchema(schema, (node, path) => {
    if (node['x-secret'] === true) paths.add(path);
  });
  return [...paths];
}

/** Every text and number a path leads to in a value, as text. */
export function textsAt(value: unknown, path: string): string[] {
  const found = path
    .split('/')
    .slice(1)
    .reduce<unknown[]>((values, step) => values.flatMap((each) => stepInto(each, step)), [value]);
  return found.flatMap(leavesOf);
}

function stepInto(value: unknown, step: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if (step === '*') return Object.values(value);
  const name = unescaped(step);
  return Object.hasOwn(value, name) ? [(value as Record<string, unknown>)[name]] : [];
}

function leavesOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value === 'number') return [String(value)];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOf) : [];
}

/** A schema as plain JSON without markers, which a strict validator would not know. */
export function withoutMarkers(schema: unknown): SchemaNode {
  return JSON.parse(JSON.stringify(schema, dropMarkers)) as SchemaNode;
}

function dropMarkers(_: string, value: unknown): unknown {
  if (!isNode(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name, mark]) => !isMarker(name, mark)));
}

/** A property of that name has a schema for a value; a marker has none. */
function isMarker(name: string, value: unknown): boolean {
  return name.startsWith('x-') && !isNode(value);
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('*', '~2');
}

/** `~2` is ours: a star in a name would otherwise stand for every name. */
function unescaped(step: string): string {
  return step.replaceAll('~2', '*').replaceAll('~1', '/').replaceAll('~0', '~');
}
