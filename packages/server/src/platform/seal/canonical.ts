/**
 * Texts as bytes, so that two different lists of texts never become the same bytes: each text is preceded by
 * its length. What is bound to a ciphertext is written this way.
 */

/** Joins texts into bytes that no other list of texts yields. */
export function canonical(...texts: readonly string[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = utf8(text);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** UTF-8 that reads back as it was. Half a surrogate pair would silently become U+FFFD, so it is refused. */
export function utf8(text: string): Buffer {
  if (!text.isWellFormed()) throw new TypeError('text holds half a surrogate pair');
  return Buffer.from(text, 'utf8');
}
