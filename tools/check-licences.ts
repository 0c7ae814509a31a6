import { checkLicences } from './licences.ts';
import { report } from './report.ts';
import { ROOT } from './root.ts';

/** Refuses what may not be given on under Apache-2.0, production and development alike. */
const { packages, faults } = await checkLicences(ROOT);
report('licences', { packages }, faults);
