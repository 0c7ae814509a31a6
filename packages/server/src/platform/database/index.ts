export { clientConfig, type DatabaseRole, type DatabaseTarget } from './connection.ts';
export { openDatabase, type Database, type Transaction } from './database.ts';
export { databaseErrors } from './errors.ts';
export { codeOf, understood, wasUnreachable } from './faults.ts';
export { migrate, readMigrations, type Migration } from './migrate.ts';
export { whenReachable } from './reach.ts';
export { databaseChecks, measureDatabase, readStoreId } from './readiness.ts';
