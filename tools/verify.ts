import { stripVTControlCharacters } from 'node:util';
import { runStep, runSteps, type Outcome, type Step } from './steps.ts';

/** Everything that has to hold before a change is taken. What CI runs. */

const bin = (path: string, ...args: string[]): string[] => [`node_modules/${path}`, ...args];

const CHECKS: readonly Step[] = [
  { name: 'types', args: bin('typescript/bin/tsc', '-p', 'tsconfig.json') },
  { name: 'lint', args: bin('oxlint/bin/oxlint', '--type-aware', '--deny-warnings', '.') },
  { name: 'format', args: bin('prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.') },
  { name: 'generated files', args: ['tools/generate.ts', '--check'] },
  { name: 'unused code and dependencies', args: bin('knip/bin/knip.js') },
  { name: 'import edges', args: ['tools/check-edges.ts'] },
  { name: 'licences', args: ['tools/check-licences.ts'] },
  { name: 'sabotage applies', args: ['tools/sabotage.ts', '--check'] },
];

const TESTS: Step = { name: 'tests', args: ['tools/test.ts'] };

const checks = await runSteps(CHECKS, 2, (outcome) => console.log(line(outcome)));
// Alone, because tests measure time. Their output is watched as it comes.
const tests = await runStep(TESTS, (text) => void process.stdout.write(text));

for (const { step, output } of checks.filter(({ passed }) => !passed))
  console.log(`\n── ${step.name} ──\n${output.trimEnd()}`);
const outcomes = [...checks, tests];
console.log(`\n${outcomes.map(line).join('\n')}\n`);
console.log(closingLines(tests.output));
if (outcomes.some(({ passed }) => !passed)) process.exitCode = 1;

function line({ step, passed, seconds }: Outcome): string {
  return `${passed ? '✔' : '✖'} ${step.name.padEnd(30)} ${seconds.toFixed(1).padStart(6)} s`;
}

/** The counts of node's test runner, said last once more. */
function closingLines(output: string): string {
  const lines = stripVTControlCharacters(output).trimEnd().split('\n');
  return lines.slice(lines.findLastIndex((text) => text.startsWith('ℹ tests '))).join('\n');
}
