import { checkEdges } from './edges/tree.ts';
import { report } from './report.ts';
import { ROOT } from './root.ts';

/** Refuses imports against the direction of the house, rings, and packages nobody declared. */
const { files, imports, faults } = await checkEdges(ROOT);
report('edges', { files, imports }, faults);
