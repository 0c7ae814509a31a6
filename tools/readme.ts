/** A block of commands in a document. */
export interface CommandBlock {
  /** Line of the document it begins at. */
  readonly line: number;
  readonly text: string;
}

/** Every block a reader would paste into a shell: fenced as `sh`, `bash`, `shell` or `console`. */
export function commandBlocks(markdown: string): CommandBlock[] {
  const blocks: CommandBlock[] = [];
  for (const match of markdown.matchAll(/^```(?:sh|bash|shell|console)\n([^]*?)^```$/gm))
    blocks.push({ line: markdown.slice(0, match.index).split('\n').length, text: match[1]!.trim() });
  return blocks;
}

/** The npm scripts a text calls: `npm start` and `npm run test:long` → `start`, `test:long`. */
export function npmScripts(text: string): string[] {
  return [...text.matchAll(/\bnpm (?:run )?(start|test|[a-z]+:[a-z]+|(?<=run )[a-z]+)/g)].map(
    (match) => match[1]!,
  );
}

/** Links to files of the repository, without their fragments. */
export function fileLinks(markdown: string): string[] {
  return [...markdown.matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)]*)?\)/g)].map(
    (match) => match[1]!,
  );
}

/** Whether the command of a block stays until it is stopped. */
export function isServer(block: CommandBlock): boolean {
  return /^\s*(?:\S+=\S+ )*npm start\b/m.test(block.text);
}

/** What differs between a document and a hub at hand: its address, and the token it printed. */
export function fillIn(text: string, hub: { address: string; token: string }): string {
  return text
    .replaceAll(/http:\/\/(?:127\.0\.0\.1|localhost):7004/g, hub.address)
    .replaceAll(/lsp_(?:[\w-]+|…)|<(?:the |your )?token>/g, hub.token);
}
