import { spread } from '../measure/statistics.ts';
import { shown } from './numbers.ts';
import type { Result } from './result.ts';

/** A result as text for a terminal. */
export function tableOf(result: Result): string {
  const { title, postgres, machine, node, commit, figures, checked, faults } = result;
  const rows = figures.map((figure) => [
    figure.name,
    shown(figure.median),
    figure.unit,
    figure.values.length > 1 ? `±${Math.round(spread(figure) * 50)} %` : '',
    figure.values.length > 1 ? `${shown(figure.min)} … ${shown(figure.max)}` : '',
  ]);
  const counts = Object.entries(checked).map(([what, count]) => `${count.toLocaleString('en')} ${what}`);
  return [
    title,
    `${machine.processor}, ${machine.cores} cores, ${machine.system}, Node ${node}, commit ${commit}`,
    ...(postgres
      ? [
          `PostgreSQL ${postgres.version}: fsync ${postgres.fsync}, synchronous_commit ${postgres.synchronous_commit}, ${shown(postgres.commitsPerSecond)} commits/s on one connection`,
        ]
      : []),
    '',
    ...aligned([['', 'median', '', 'spread', 'least … most'], ...rows]),
    '',
    `checked: ${counts.join(', ')}`,
    ...(faults.length === 0
      ? ['verified: nothing lost, nothing twice']
      : faults.map((fault) => `FAULT  ${fault}`)),
  ].join('\n');
}

/** Columns under one another; the second one to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 1 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}
