/** A schema as plain JSON. */
export type SchemaNode = Readonly<Record<string, unknown>>;

const ONE = [
  'items',
  'additionalProperties',
  'unevaluatedProperties',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'propertyNames',
];
const LISTS = ['anyOf', 'allOf', 'oneOf', 'prefixItems'];
const MAPS = ['properties', 'patternProperties', '$defs', 'dependentSchemas'];

const isNode = (value: unknown): value is SchemaNode =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Visits a schema and every schema within it. */
export function eachSchema(
  node: SchemaNode,
  path: string,
  visit: (node: SchemaNode, path: string) => void,
): void {
  visit(node, path);
  const into = (value: unknown, inner: string): void => {
    if (isNode(value)) eachSchema(value, `${path}/${inner}`, visit);
  };
  for (const keyword of ONE) into(node[keyword], keyword);
  for (const keyword of LISTS)
    if (Array.isArray(node[keyword]))
      node[keyword].forEach((item, index) => into(item, `${keyword}/${index}`));
  for (const keyword of MAPS) {
    const map = node[keyword];
    if (isNode(map)) for (const [name, value] of Object.entries(map)) into(value, `${keyword}/${name}`);
  }
}
