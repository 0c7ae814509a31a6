/** A copy of a value in which every text a path of `secretPathsOf` leads to is replaced. */
export function replaceAt(value: unknown, path: string, by: () => string): unknown {
  const [step, ...rest] = path.split('/').slice(1);
  if (step === undefined) return replaceTexts(value, by);
  if (typeof value !== 'object' || value === null) return value;
  const name = step.replaceAll('~2', '*').replaceAll('~1', '/').replaceAll('~0', '~');
  const below = rest.map((each) => `/${each}`).join('');
  return mapValues(value, (each, key) => (step === '*' || key === name ? replaceAt(each, below, by) : each));
}

function replaceTexts(value: unknown, by: () => string): unknown {
  if (typeof value === 'string') return by();
  return typeof value === 'object' && value !== null
    ? mapValues(value, (each) => replaceTexts(each, by))
    : value;
}

function mapValues(value: object, map: (each: unknown, key: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((each, at) => map(each, String(at)));
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, map(each, key)]));
}
