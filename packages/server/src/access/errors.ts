import { defineErrors } from '../platform/errors.ts';

/** Errors of tenants and tokens. */
export const accessErrors = defineErrors({
  token_not_found: {
    status: 404,
    title: 'There is no such token in this tenant',
    retryable: false,
    help: 'List the tokens with GET /api/v1/tokens. A revoked token is gone for good.',
  },
  token_expiry_past: {
    status: 422,
    title: 'The token would be expired from its first moment',
    retryable: false,
    help: 'Give an expiresAt that lies in the future, or leave it out for a token without end.',
  },
  grant_not_held: {
    status: 403,
    title: 'Nobody can hand out more than they hold',
    retryable: false,
    help: 'Ask for permissions your own token has; the detail names the others.',
  },
  tenant_not_found: {
    status: 404,
    title: 'There is no such tenant',
    retryable: false,
    help: 'List the tenants with GET /api/v1/tenants, or make one with POST /api/v1/tenants.',
  },
  tenant_exists: {
    status: 409,
    title: 'A tenant of this name exists',
    retryable: false,
    help: 'Use the existing one, or choose another name.',
  },
  tenant_foreign: {
    status: 403,
    title: 'Tokens for another tenant need the permission tenants:write',
    retryable: false,
    help: 'Leave tenant out to make a token of your own tenant.',
  },
});
