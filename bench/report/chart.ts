import type { Figure } from '../measure/statistics.ts';
import { shown } from './numbers.ts';
import type { Result } from './result.ts';

/** Pixels. */
const WIDTH = 720;
const LABEL = 230;
const VALUE = 90;
const BAR = 22;
const GAP = 12;
const TOP = 64;

/** Results that are drawn, the newest on top. */
const MOST = 6;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .small { font-size: 11px; fill: #59636e; }
  .own { fill: #2f6feb; } .base { fill: #a8b1bb; }
  .range { stroke: #1f2328; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9198a1; }
    .own { fill: #4c8dff; } .base { fill: #59636e; }
    .range { stroke: #e6edf3; }
  }`;

/**
 * Draws the results of one benchmark: of the newest every figure of the main unit as a bar (median, with the range of the
 * repeats), below it the same of those before. It is read on light and on dark pages.
 */
export function drawChart(results: readonly Result[]): string {
  const newest = results.at(-1)!;
  const shownResults = results.slice(-MOST).toReversed();
  const unit = newest.figures[0]!.unit;
  const most = Math.max(...shownResults.flatMap((result) => mainOf(result, unit).map(({ max }) => max)));
  const parts: string[] = [];
  let y = TOP;
  for (const result of shownResults) {
    parts.push(text(0, y + 4, `${result.at.slice(0, 10)}, commit ${result.commit}`, 'small'));
    y += 14;
    for (const [index, figure] of mainOf(result, unit).entries()) {
      parts.push(bar(figure, y, most, index === 0 ? 'own' : 'base'));
      y += BAR + GAP / 2;
    }
    y += GAP * 1.5;
  }
  const { machine, node } = newest;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="${escaped(newest.title)}">`,
    `<style>${STYLE}\n</style>`,
    text(0, 18, newest.title, 'title'),
    text(0, 38, `${unit}; ${machine.processor}, ${machine.cores} cores, Node ${node}`, 'small'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function mainOf({ figures }: Result, unit: string): Figure[] {
  return figures.filter((figure) => figure.unit === unit);
}

function bar({ name, median, min, max }: Figure, y: number, most: number, style: string): string {
  const room = WIDTH - LABEL - VALUE;
  const length = (value: number): number => Math.round((value / most) * room);
  const middle = y + BAR / 2;
  return [
    text(0, middle + 4, name),
    `<rect class="${style}" x="${LABEL}" y="${y}" width="${Math.max(1, length(median))}" height="${BAR}" rx="2"/>`,
    `<line class="range" x1="${LABEL + length(min)}" x2="${LABEL + length(max)}" y1="${middle}" y2="${middle}"/>`,
    text(LABEL + Math.max(length(median), length(max)) + 8, middle + 4, shown(median)),
  ].join('\n');
}

function text(x: number, y: number, content: string, style?: string): string {
  return `<text x="${x}" y="${y}"${style ? ` class="${style}"` : ''}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
