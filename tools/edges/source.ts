import { readFile } from 'node:fs/promises';
import { parseSync, Visitor } from 'oxc-parser';

/** What one source file says about its surroundings. */
export interface Source {
  /** Where every import, re-export, dynamic import and import type points, as written. */
  readonly imports: readonly string[];
  readonly readsEnvironment: boolean;
}

/** Reads a TypeScript file. Fails when it does not parse: a file nobody can read must not count as harmless. */
export async function readSource(file: string): Promise<Source> {
  return parseSource(file, await readFile(file, 'utf8'));
}

export function parseSource(file: string, text: string): Source {
  const { program, errors } = parseSync(file, text);
  if (errors[0]) throw new Error(`${file} does not parse: ${errors[0].message}`);
  const imports: string[] = [];
  let readsEnvironment = false;
  const noteSource = (node: { source: { value: unknown } | null }): void => {
    if (typeof node.source?.value === 'string') imports.push(node.source.value);
  };
  new Visitor({
    ImportDeclaration(node) {
      noteSource(node);
      readsEnvironment ||= isProcess(node.source.value) && node.specifiers.some(importsEnvironment);
    },
    ExportNamedDeclaration: noteSource,
    ExportAllDeclaration: noteSource,
    TSImportType: noteSource,
    ImportExpression(node) {
      const specifier = fixedText(node.source);
      if (specifier !== undefined) imports.push(specifier);
    },
    MemberExpression(node) {
      readsEnvironment ||= isNamed(node.object, 'process') && propertyOf(node) === 'env';
    },
    VariableDeclarator(node) {
      readsEnvironment ||= isNamed(node.init, 'process') && node.id.type === 'ObjectPattern';
    },
  }).visit(program);
  return { imports, readsEnvironment };
}

type Node = { readonly type: string } & Readonly<Record<string, unknown>>;

/** `'./a.ts'` and a template without holes; undefined for what is known only when it runs. */
function fixedText(node: unknown): string | undefined {
  const { type, value, quasis } = node as Node & { quasis?: { value: { cooked: string } }[] };
  if (type === 'Literal' && typeof value === 'string') return value;
  return type === 'TemplateLiteral' && quasis?.length === 1 ? quasis[0]?.value.cooked : undefined;
}

function isProcess(module: string): boolean {
  return module === 'node:process' || module === 'process';
}

function importsEnvironment(specifier: unknown): boolean {
  const { imported } = specifier as { imported?: { name?: string; value?: string } };
  return (imported?.name ?? imported?.value) === 'env';
}

function isNamed(node: unknown, name: string): boolean {
  const { type, name: found } = (node ?? {}) as Partial<Node>;
  return type === 'Identifier' && found === name;
}

function propertyOf(node: unknown): unknown {
  const { computed, property } = node as { computed: boolean; property: Node };
  return computed ? fixedText(property) : property['name'];
}
