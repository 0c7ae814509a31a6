import type { Method } from './route.ts';

/**
 * Which methods an address takes, for `Allow`: undefined when no route has it. Asked only about requests no route
 * was found for.
 */
export function methodTable(
  routes: readonly { readonly method: Method; readonly path: string }[],
): (path: string) => string | undefined {
  const split = routes.map(({ method, path }) => ({ method, segments: path.split('/') }));
  return (path) => {
    const segments = path.split('/');
    const methods = split.filter((route) => fits(route.segments, segments)).map((route) => route.method);
    if (methods.length === 0) return undefined;
    const more = methods.includes('GET') ? ['HEAD', 'OPTIONS'] : ['OPTIONS'];
    return [...new Set([...methods, ...more])].toSorted().join(', ');
  };
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, index) => (part.startsWith(':') ? segments[index] !== '' : part === segments[index]))
  );
}
