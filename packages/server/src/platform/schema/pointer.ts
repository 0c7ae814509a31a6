/** Characters of one segment that are shown; a name comes from the client and may be as long as a body. */
const LONGEST_SEGMENT = 80;

/** A JSON pointer (RFC 6901) to show: over-long segments are cut. */
export function pointer(segments: readonly (string | number)[]): string {
  return segments.map((segment) => `/${escaped(String(segment))}`).join('');
}

function escaped(segment: string): string {
  const cut = segment.length > LONGEST_SEGMENT ? `${segment.slice(0, LONGEST_SEGMENT)}…` : segment;
  return cut.replaceAll('~', '~0').replaceAll('/', '~1');
}
