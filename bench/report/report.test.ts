import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { figure } from '../measure/statistics.ts';
import { drawChart } from './chart.ts';
import { keep } from './keep.ts';
import type { Result } from './result.ts';
import { tableOf } from './table.ts';

function result(part: Partial<Result> = {}): Result {
  return {
    name: 'b0',
    title: 'B0: <work> & "more"',
    at: '2026-01-02T03:04:05.000Z',
    command: 'npm run bench -- b0',
    commit: 'abc123',
    node: 'v26.0.0',
    machine: { processor: 'A processor', cores: 2, memoryGiB: 8, system: 'linux-x64 6' },
    postgres: { version: '18', fsync: 'on', synchronous_commit: 'on', commitsPerSecond: 1234 },
    figures: [
      figure('hub', 'runs/s', [900, 1_000, 1_100]),
      figure('baseline', 'runs/s', [2_000]),
      figure('ratio', '%', [50]),
    ],
    checked: { 'runs accepted': 3_000 },
    faults: [],
    ...part,
  };
}

test('the table shows medians, ranges, what was checked and how PostgreSQL was set', () => {
  const table = tableOf(result());
  assert.match(table, /fsync on, synchronous_commit on, 1,234 commits\/s/);
  assert.match(table, /^hub +1,000 +runs\/s +±10 % +900 … 1,100$/m);
  assert.match(table, /3,000 runs accepted\nverified:/);
  assert.match(tableOf(result({ faults: ['lost: run 1'] })), /^FAULT {2}lost: run 1$/m);
});

test('the chart holds the figures of the main unit as bars in proportion, on any ground', () => {
  const svg = drawChart([result()]);
  const widths = [...svg.matchAll(/<rect [^>]*width="(\d+)"/g)].map(([, width]) => Number(width));
  assert.equal(widths.length, 2);
  assert.equal(widths[0], widths[1]! / 2);
  assert.match(svg, /prefers-color-scheme: dark/);
  assert.match(svg, /B0: &lt;work> &amp; &quot;more&quot;/);
  assert.doesNotMatch(svg, /NaN|undefined/);
});

test('results pile up, and the chart shows the newest on top', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'linkspan-results-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await keep(folder, result({ commit: 'older' }));
  await keep(folder, result({ commit: 'newer' }));
  const lines = (await readFile(join(folder, 'b0.jsonl'), 'utf8')).trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as Result).commit),
    ['older', 'newer'],
  );
  const svg = await readFile(join(folder, 'b0.svg'), 'utf8');
  assert.ok(svg.indexOf('newer') < svg.indexOf('older'));
});
