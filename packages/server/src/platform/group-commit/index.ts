export { groupCommitErrors } from './errors.ts';
export { openGroupCommit, type GroupCommit } from './group-commit.ts';
export type { BatchStatement, GroupCommitOptions, Submission } from './statement.ts';
