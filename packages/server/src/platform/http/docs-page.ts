import { errorKindsOf } from './openapi.ts';
import { html, page, prose, type Html } from './page.ts';
import { propertiesOf } from './parameters.ts';
import { isRaw, jsonBody, permissionOf, reasonOf, type ReplySpec, type Route, type Terms } from './route.ts';

/** The API as a page to read, drawn from the same routes as everything else. */
export function docsPage<T extends Terms>(
  routes: readonly Route<T>[],
  permissions: Readonly<Record<string, string>>,
  version: string,
): string {
  const sections = Object.entries(Object.groupBy(routes, (route) => route.tags?.[0] ?? 'Other')).sort(
    // What every hub has comes last.
    ([a], [b]) => Number(BUILT_IN.has(a)) - Number(BUILT_IN.has(b)),
  );
  const navigation = sections.map(
    ([tag, list = []]) =>
      html`<strong>${tag}</strong
        >${list.map((route) => html`<a href="#${anchor(route)}">${route.summary}</a>`)}`,
  );
  const content = sections.map(
    ([tag, list = []]) =>
      html`<h2>${tag}</h2>
        ${list.map(card)}`,
  );
  return page(
    'Linkspan API',
    html`${navigation}<strong>More</strong><a href="#permissions">Permissions</a
      ><a href="/docs/errors">Errors</a><a href="/openapi.json">OpenAPI 3.1</a>`,
    html`<h1>Linkspan API</h1>
      <p class="soft">
        Version ${version}. Send <code>Authorization: Bearer &lt;token&gt;</code> and JSON in UTF-8. Errors
        are problem documents (RFC 9457) with a stable <code>code</code>; all faults of a request are named at
        once.
      </p>
      ${content}
      <h2 id="permissions">Permissions</h2>
      <article>${rows(Object.entries(permissions))}</article>`,
  );
}

const BUILT_IN = new Set(['Operation', 'Documentation']);

function anchor<T extends Terms>({ method, path }: Route<T>): string {
  return `${method.toLowerCase()}${path.replace(/[^A-Za-z0-9]+/g, '-')}`;
}

function card<T extends Terms>(route: Route<T>): Html {
  const permission = permissionOf<T>(route.access);
  return html`<article id="${anchor(route)}">
    <h3><span class="method">${route.method}</span>${route.path}</h3>
    <p><b>${route.summary}.</b> ${prose(route.description ?? '')}</p>
    <p class="soft">
      ${permission === undefined ? 'Open to everyone.' : html`Takes the permission <code>${permission}</code>.`}
      ${reasonOf<T>(route.access)}
      ${typeof route.audit === 'string' ? html`Leaves the audit entry <code>${route.audit}</code>.` : ''}
    </p>
    ${parametersOf('Path', route.params)}${parametersOf('Query', route.query)}${bodyOf(route)}
    <h4>Replies</h4>
    ${Object.entries(route.replies).map(replyOf)}
    <h4>Errors</h4>
    <p>
      ${errorKindsOf(route).map((kind) => html`<a href="/docs/errors#${kind.code}"><code>${kind.code}</code></a> `)}
    </p>
  </article>`;
}

function parametersOf(title: string, schema: Route<Terms>['params']): Html | undefined {
  const entries = Object.entries(propertiesOf(schema));
  if (entries.length === 0) return undefined;
  return html`<h4>${title}</h4>
    ${rows(entries.map(([name, property]) => [name, summaryOf(property)]))}`;
}

/** What a schema of one value says, in a line. */
function summaryOf(schema: object): string {
  const { description = '', ...rules } = schema as { description?: string };
  const said = Object.entries(rules).map(([rule, value]) =>
    rule === 'type' ? String(value) : `${rule} \`${JSON.stringify(value)}\``,
  );
  return [description, said.join(', ')].filter(Boolean).join(' · ');
}

function bodyOf<T extends Terms>(route: Route<T>): Html | undefined {
  const json = jsonBody(route);
  if (json)
    return html`<h4>Body</h4>
      ${schemaOf(json)}`;
  return isRaw(route.body)
    ? html`<h4>Body</h4>
        <p>${route.body.types?.join(', ') ?? 'Any media type'}, at most ${route.body.limit} bytes.</p>`
    : undefined;
}

function replyOf([status, reply]: [string, ReplySpec]): Html {
  return html`<p>
      <code>${status}</code> ${prose(reply.description)}
      ${'media' in reply && html`<code>${reply.media}</code>`}
    </p>
    ${'schema' in reply && schemaOf(reply.schema)}`;
}

function schemaOf(schema: object): Html {
  return html`<details>
    <summary>Schema</summary>
    <pre>${JSON.stringify(schema, null, 2)}</pre>
  </details>`;
}

function rows(entries: readonly (readonly [string, unknown])[]): Html {
  return html`<table>
    ${entries.map(
      ([name, text]) =>
        html`<tr>
          <th><code>${name}</code></th>
          <td>${prose(String(text))}</td>
        </tr>`,
    )}
  </table>`;
}
