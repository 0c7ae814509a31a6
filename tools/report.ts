/**
 * Ends a check: prints its faults, or what it looked at. A check that looked at nothing has failed.
 *
 * @param looked what was looked at and how much of it: `{ files: 81 }`.
 */
export function report(
  check: string,
  looked: Readonly<Record<string, number>>,
  faults: readonly string[],
): void {
  const counts = Object.entries(looked).map(([what, count]) => `${count} ${what}`);
  const blind = Object.values(looked).some((count) => count === 0);
  for (const fault of faults) console.log(fault);
  console.log(`${check}: ${counts.join(', ')}; ${faults.length} faults`);
  if (blind) console.log(`${check}: there was nothing to look at`);
  if (blind || faults.length > 0) process.exitCode = 1;
}
