import type { ErrorMaker } from '../errors.ts';
import { html, page } from './page.ts';

/** The catalogue of errors, each code under its own anchor: what `type` of a problem document leads to. */
export function errorsPage(errors: readonly ErrorMaker[]): string {
  const kinds = errors
    .map(({ kind }) => kind)
    .sort((a, b) => a.status - b.status || (a.code < b.code ? -1 : 1));
  return page(
    'Linkspan errors',
    html`<strong>Codes</strong>${kinds.map(({ code }) => html`<a href="#${code}">${code}</a>`)}<strong
        >More</strong
      ><a href="/docs">API</a>`,
    html`<h1>Errors</h1>
      <p class="soft">
        Every code an answer may carry. A code never changes; status, title and help are for people.
      </p>
      ${kinds.map(
        ({ code, status, title, help, retryable }) =>
          html`<article id="${code}">
            <h3>${code}</h3>
            <p><code>${status}</code> <b>${title}.</b></p>
            <p>${help}</p>
            <p class="soft">
              ${retryable ? 'The same request may succeed later.' : 'The same request will fail again.'}
            </p>
          </article>`,
      )}`,
  );
}
