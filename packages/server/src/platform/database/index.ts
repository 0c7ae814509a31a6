export { clientConfig, type DatabaseRole, type DatabaseTarget } from './connection.ts';
export { openDatabase, type Database, type Transaction } from './database.ts';
export { databaseErrors } from './errors.ts';
export { codeOf, wasUnreachable } from './faults.ts';
export { migrate, readMigrations, type Migration } from './migrate.ts';
export { PartitionKeeper, partitionsLike, spansAhead, type Span } from './partition-keeper.ts';
export { whenReachable } from './reach.ts';
export { databaseChecks, measureDatabase, readStoreId } from './readiness.ts';
