import type { TSchema } from 'typebox';
import { jsonBody, permissionOf, reasonOf, type Route, type Terms } from './route.ts';
import { propertiesOf } from './parameters.ts';
import { compileCheck, eachSchema, type SchemaNode } from '../schema/index.ts';

/** What routes may name. */
export interface Catalogues<T extends Terms> {
  readonly permissions: Readonly<Record<T['permission'], string>>;
  readonly audits: Readonly<Record<T['audit'], string>>;
}

/**
 * Everything wrong with these routes; the server does not start while there is anything. The types say the same,
 * but a route may come from plain JavaScript, or past them by a cast.
 */
export function faultsOf<T extends Terms>(routes: readonly Route<T>[], catalogues: Catalogues<T>): string[] {
  const seen = new Set<string>();
  return routes.flatMap((route) => {
    const name = `${route.method} ${route.path}`;
    const key = name.replace(/:[^/]+/g, ':');
    const faults = [
      ...(seen.has(key) ? ['there is another route of this method and path'] : []),
      ...accessFaults(route, catalogues),
      ...auditFaults(route, catalogues),
      ...inputFaults(route),
      ...replyFaults(route),
    ];
    seen.add(key);
    return faults.map((fault) => `${name}: ${fault}`);
  });
}

const stated = (reason: unknown): boolean => typeof reason === 'string' && reason.trim().length > 5;

function accessFaults<T extends Terms>({ access }: Route<T>, { permissions }: Catalogues<T>): string[] {
  if (!access) return ['it declares no access'];
  const permission = permissionOf<T>(access);
  const faults: string[] = [];
  if (permission !== undefined && !Object.hasOwn(permissions, permission))
    faults.push(`its permission "${permission}" is not in the catalogue`);
  if (typeof access === 'object' && !stated(reasonOf<T>(access)))
    faults.push('it is open without a stated reason');
  return faults;
}

function auditFaults<T extends Terms>({ audit }: Route<T>, { audits }: Catalogues<T>): string[] {
  if (!audit) return ['it declares no audit entry'];
  if (typeof audit === 'object')
    return stated(audit.none) ? [] : ['it leaves no audit entry without a stated reason'];
  return Object.hasOwn(audits, audit) ? [] : [`its audit entry "${audit}" is not in the vocabulary`];
}

function inputFaults<T extends Terms>(route: Route<T>): string[] {
  const named = [...route.path.matchAll(/:([A-Za-z]\w*)/g)].map((match) => match[1] ?? '');
  const declared = Object.keys(propertiesOf(route.params));
  const takesBody = route.method !== 'GET' && route.method !== 'DELETE';
  return [
    ...(named.toSorted().join() === declared.toSorted().join()
      ? []
      : [`its path names (${named.join()}) and its params schema (${declared.join()}) differ`]),
    ...(takesBody && !route.body ? ['it declares no body'] : []),
    ...(!takesBody && route.body ? [`a ${route.method} takes no body`] : []),
    ...schemaFaults('params', route.params),
    ...schemaFaults('query', route.query),
    ...schemaFaults('body', jsonBody(route)),
  ];
}

function replyFaults<T extends Terms>({ replies }: Route<T>): string[] {
  const entries = Object.entries(replies ?? {});
  if (entries.length === 0) return ['it declares no reply'];
  return entries.flatMap(([status, reply]) => {
    const where = `reply ${status}`;
    if (!stated(reply.description)) return [`${where} has no description`];
    if ('schema' in reply) return schemaFaults(where, reply.schema);
    return 'media' in reply || 'empty' in reply ? [] : [`${where} has no schema`];
  });
}

function schemaFaults(where: string, schema: TSchema | undefined): string[] {
  if (schema === undefined) return [];
  if (!says(schema as SchemaNode)) return [`${where}: its schema is empty`];
  const faults: string[] = [];
  eachSchema(schema as SchemaNode, where, (node, path) => {
    if (node['type'] === 'object' && !closes(node))
      faults.push(`${path}: it does not say whether other fields are allowed`);
    if (!says(node) && typeof node['description'] !== 'string')
      faults.push(`${path}: allows anything without a description that says so`);
  });
  try {
    compileCheck(schema);
  } catch (error) {
    faults.push(`${where}: ${(error as Error).message}`);
  }
  return faults;
}

const CONSTRAINTS = ['type', '$ref', 'anyOf', 'oneOf', 'allOf', 'const', 'enum', 'not', 'if'];

/** Whether a schema constrains anything at all. */
function says(node: SchemaNode): boolean {
  return CONSTRAINTS.some((keyword) => keyword in node);
}

function closes(node: SchemaNode): boolean {
  return ['additionalProperties', 'unevaluatedProperties', 'patternProperties'].some(
    (keyword) => keyword in node,
  );
}
