import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuOf, parseBusy, parseStat } from './cpu.ts';
import { grown, parseMetrics } from './metrics.ts';
import { figure, percentile, spread } from './statistics.ts';

test('a figure is the median of its repeats, with their range', () => {
  const { median, min, max, values } = figure('rate', 'runs/s', [30, 10, 20, 40]);
  assert.deepEqual({ median, min, max }, { median: 25, min: 10, max: 40 });
  assert.deepEqual(values, [30, 10, 20, 40], 'in the order they were measured');
  assert.equal(spread({ median, min, max }), 1.2);
  assert.throws(() => figure('rate', 'runs/s', []), /Nothing was measured for rate/);
});

test('a percentile is a value that was measured', () => {
  const values = Float64Array.from({ length: 200 }, (_, index) => 200 - index);
  assert.equal(percentile(values, 0.5), 100);
  assert.equal(percentile(values, 0.99), 198);
  assert.equal(percentile(values, 1), 200);
  assert.equal(percentile([5], 0.01), 5);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

test('metrics are read with their labels', () => {
  const page = '# HELP a Text.\n# TYPE a counter\na{state="ok then"} 5\nb_sum 0.25\n';
  const before = parseMetrics('b_sum 0.05\n');
  assert.equal(parseMetrics(page).get('a{state="ok then"}'), 5);
  assert.equal(grown(before, parseMetrics(page), 'b_sum'), 0.2);
  assert.equal(grown(before, parseMetrics(page), 'a{state="ok then"}'), 5);
});

test('the processor time of a process counts that of its ended children, whatever its name', () => {
  const stat = '42 (a) b (c)) S 7 1 1 0 -1 0 0 0 0 0 150 50 25 75 20 0 1 0';
  assert.deepEqual(parseStat(stat), { parent: 7, seconds: 3 });
});

test('the processor time of the machine leaves out what was idle', () => {
  assert.equal(parseBusy('cpu  100 200 300 7000 9000 10 20 30 5 5\ncpu0 1 1 1 1\n'), 6.6);
});

test('processor time grows with work', { skip: process.platform !== 'linux' && 'there is no /proc' }, () => {
  const before = cpuOf(process.pid)!;
  const until = performance.now() + 60_000;
  while (cpuOf(process.pid)! < before + 0.1 && performance.now() < until);
  assert.ok(cpuOf(process.pid)! >= before + 0.1);
});
