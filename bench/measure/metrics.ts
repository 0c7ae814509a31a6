/** Samples of a `/metrics` page, by name with labels: `linkspan_calls_ended_total{state="failed"}`. */
export type Metrics = ReadonlyMap<string, number>;

export function parseMetrics(page: string): Metrics {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line): [string, number] => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

/** What a hub has counted so far. @param address `http://127.0.0.1:7004` */
export async function readMetrics(address: string): Promise<Metrics> {
  const response = await fetch(`${address}/metrics`);
  if (!response.ok) throw new Error(`${address}/metrics answered ${response.status}.`);
  return parseMetrics(await response.text());
}

/** How much a counter grew. */
export function grown(before: Metrics, after: Metrics, name: string): number {
  return (after.get(name) ?? 0) - (before.get(name) ?? 0);
}
