import { createHash } from 'node:crypto';

/** One look for every page of the documentation: plain HTML and CSS, nothing from outside, no script. */
const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1b2733, #dde5ec); --soft: light-dark(#5b6b7a, #93a3b2);
  --paper: light-dark(#fbfcfd, #11181f); --card: light-dark(#fff, #18222b); --line: light-dark(#dfe6ec, #2a3742);
  --sea: light-dark(#0b6e8f, #5cc3e4); --code: light-dark(#f0f4f7, #0d1319); }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, sans-serif; }
.page { display: grid; grid-template-columns: 17rem minmax(0, 52rem); gap: 3rem; max-width: 76rem; margin: 0 auto; padding: 2rem 1.5rem 6rem; }
nav { position: sticky; top: 2rem; align-self: start; max-height: calc(100vh - 4rem); overflow: auto; font-size: .875rem; }
nav strong { display: block; margin: 1.25rem 0 .25rem; color: var(--soft); font-size: .75rem; letter-spacing: .06em; text-transform: uppercase; }
nav a { display: block; padding: .15rem 0; color: inherit; text-decoration: none; overflow-wrap: anywhere; }
nav a:hover { color: var(--sea); }
h1 { margin: 0 0 .25rem; font-size: 2rem; line-height: 1.2; letter-spacing: -.02em; }
h2 { margin: 3rem 0 1rem; font-size: 1.375rem; }
h3 { margin: 0; font: 600 1rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
h4 { margin: 1.25rem 0 .35rem; color: var(--soft); font-size: .75rem; letter-spacing: .06em; text-transform: uppercase; }
p { margin: .35rem 0; }
a { color: var(--sea); }
.soft { color: var(--soft); }
article { margin: 1rem 0; padding: 1.25rem 1.5rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
article:target { border-color: var(--sea); }
.method { display: inline-block; min-width: 4.2rem; margin-right: .5rem; padding: 0 .5rem; border-radius: .35rem; background: var(--sea); color: var(--card); text-align: center; font-size: .8125rem; }
code, pre { font: .8125rem/1.55 ui-monospace, monospace; background: var(--code); border-radius: .35rem; }
code { padding: .1rem .3rem; overflow-wrap: anywhere; }
pre { margin: .35rem 0; padding: .75rem 1rem; overflow: auto; max-height: 28rem; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; }
td, th { padding: .4rem .75rem .4rem 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
details > summary { cursor: pointer; color: var(--sea); font-size: .875rem; }
@media (max-width: 60rem) { .page { display: block; } nav { position: static; max-height: none; margin-bottom: 2rem; } }
`;

const digest = createHash('sha256').update(STYLE).digest('base64');

/** The policy a page is sent with: its own style and nothing else. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Text that was made safe to stand in a page. */
export interface Html {
  readonly html: string;
}

/** Fills in a template; everything that is not `Html` is escaped. Lists are joined. */
export function html(parts: TemplateStringsArray, ...values: readonly unknown[]): Html {
  return { html: parts.reduce((text, part, index) => text + shown(values[index - 1]) + part) };
}

function shown(value: unknown): string {
  if (value === undefined || value === null || value === false) return '';
  if (Array.isArray(value)) return value.map(shown).join('');
  if (typeof value === 'object' && 'html' in value) return String(value.html);
  return escaped(typeof value === 'string' ? value : JSON.stringify(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** A whole page. */
export function page(title: string, navigation: Html, content: Html): string {
  const body = html`<div class="page">
    <nav>${navigation}</nav>
    <main>${content}</main>
  </div>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>${body.html}</body>
</html>
`;
}

/** Prose with \`code\` in it. */
export function prose(text: string): Html {
  return { html: escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>') };
}
