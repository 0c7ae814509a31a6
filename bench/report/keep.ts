import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawChart } from './chart.ts';
import type { Result } from './result.ts';

/** Appends the result to its file, and draws what the file holds now. */
export async function keep(folder: string, result: Result): Promise<void> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${result.name}.jsonl`);
  await appendFile(file, `${JSON.stringify(result)}\n`);
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const results = lines.map((line) => JSON.parse(line) as Result);
  await writeFile(join(folder, `${result.name}.svg`), drawChart(results));
}
