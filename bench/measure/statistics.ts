/** A measured quantity: one value for each repeat. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly values: readonly number[];
}

/** Sums up the values of the repeats. */
export function figure(name: string, unit: string, values: readonly number[]): Figure {
  if (values.length === 0) throw new Error(`Nothing was measured for ${name}.`);
  return { name, unit, median: median(values), min: Math.min(...values), max: Math.max(...values), values };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The value that the given share of all values does not exceed (nearest rank); NaN for none.
 *
 * @param share 0.5 for the median, 0.99 for the 99th percentile
 */
export function percentile(values: Float64Array | readonly number[], share: number): number {
  const sorted = Float64Array.from(values).toSorted();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** How far apart the values are: the whole range, as a share of the median. */
export function spread({ median: middle, min, max }: Pick<Figure, 'median' | 'min' | 'max'>): number {
  return middle === 0 ? 0 : (max - min) / middle;
}
