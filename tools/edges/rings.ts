/**
 * Finds files that import each other in a ring, directly or through others.
 *
 * @param graph each file with the files it imports.
 * @returns each ring once, as the list of its files.
 */
export function findRings(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const rings: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];

  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) rings.push(path.slice(at));
    if (at >= 0 || done.has(file)) return;
    path.push(file);
    for (const next of graph.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  };

  for (const file of graph.keys()) visit(file);
  return rings;
}
