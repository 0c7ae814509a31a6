export { recordAudit } from './store.ts';
export {
  auditVocabulary,
  type Actor,
  type AuditEntry,
  type AuditName,
  type AuditOutcome,
} from './vocabulary.ts';
