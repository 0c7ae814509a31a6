import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { generated, type Generated } from './generated.ts';
import { report } from './report.ts';
import { ROOT } from './root.ts';

/**
 *     generate           writes every generated file
 *     generate --check   compares; fails when one is not what its source says
 */
const check = process.argv.includes('--check');
const faults: string[] = [];

for (const file of generated) {
  const fault = await compare(file).catch((error: unknown) => {
    process.exitCode = 1;
    return `cannot be made: ${String(error)}`;
  });
  if (fault) faults.push(`${file.path} ${fault}`);
}
if (check) report('generated files', { files: generated.length }, faults);
else console.log(faults.join('\n') || 'All generated files were up to date.');

/** What is to be said of one file; undefined when it is as it should be. */
async function compare(file: Generated): Promise<string | undefined> {
  const path = join(ROOT, file.path);
  const text = await formatted(file);
  const present = await readFile(path, 'utf8').catch(() => undefined);
  if (present === text) return undefined;
  if (check) return `is out of date: npm run generate\n${firstDifference(present, text)}`;
  await writeFile(path, text);
  return 'written';
}

async function formatted({ path, make }: Generated): Promise<string> {
  const text = await make();
  if (path.endsWith('.sql')) return text;
  return format(text, { ...(await resolveConfig(join(ROOT, path))), filepath: path });
}

function firstDifference(present: string | undefined, wanted: string): string {
  if (present === undefined) return '  it does not exist';
  const [old, now] = [present.split('\n'), wanted.split('\n')];
  const line = now.findIndex((text, at) => text !== old[at]);
  const at = line < 0 ? now.length : line;
  return [`  line ${at + 1}`, `  - ${old[at] ?? '(end)'}`, `  + ${now[at] ?? '(end)'}`].join('\n');
}
