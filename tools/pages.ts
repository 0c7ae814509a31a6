import { permissionCatalogue } from '../packages/server/src/access/index.ts';
import { auditVocabulary } from '../packages/server/src/audit/index.ts';
import { variables } from '../packages/server/src/config.ts';
import { errorCatalogue } from '../packages/server/src/error-catalogue.ts';

/** Pages of `docs/` that are tables of what the code declares. */

const WRITTEN = '<!-- Written by `npm run generate`. Do not edit. -->';

export function configurationPage(): string {
  const rows = Object.values<{ name: string; fallback?: string; example: string; help: string }>(variables);
  return page(
    'Configuration',
    `The hub is configured by environment variables. An empty one counts as absent. A wrong one stops the start, and the
     message names every wrong variable, the fault and an example; values are never printed, because one may be a secret.`,
    ['variable', 'default', 'example', 'meaning'],
    rows.map(({ name, fallback, example, help }) => [
      code(name),
      fallback ? code(fallback) : '',
      code(example),
      help,
    ]),
  );
}

export function errorsPage(): string {
  return page(
    'Errors',
    `Every error is an RFC 9457 problem document (\`application/problem+json\`) with a \`code\` that never changes. Whoever
     programs against the hub compares codes, not titles. *Again* says whether the same request may succeed when it is
     sent again unchanged.`,
    ['code', 'status', 'again', 'title', 'what to do'],
    errorCatalogue
      .toSorted((a, b) => a.code.localeCompare(b.code, 'en'))
      .map(({ code: name, status, retryable, title, help }) => [
        code(name),
        String(status),
        retryable ? 'yes' : 'no',
        title,
        help,
      ]),
  );
}

export function permissionsPage(): string {
  return page(
    'Permissions',
    'A token carries permissions of this list, or `*` for every one there is and will be. Nobody can hand out more than they hold.',
    ['permission', 'allows'],
    Object.entries(permissionCatalogue).map(([name, meaning]) => [code(name), meaning]),
  );
}

export function auditPage(): string {
  return page(
    'Audit',
    `Each entry says who did what to what, from where, in which request and with what outcome (\`succeeded\`, \`refused\`,
     \`failed\`). It is written in the transaction it tells of, and never changed.`,
    ['entry', 'means'],
    Object.entries(auditVocabulary).map(([name, meaning]) => [code(name), meaning]),
  );
}

function page(
  title: string,
  text: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const table = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map(cell).join(' | ')} |`);
  return [WRITTEN, `# ${title}`, text.replaceAll(/\n +/g, '\n'), table.join('\n'), ''].join('\n\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
