import { randomFillSync } from 'node:crypto';

/**
 * Ids are UUIDv7 (RFC 9562): they sort by the millisecond they were made in, so that primary keys grow at one
 * end, pages follow the order of making, and old rows leave by partition. Random bits are drawn in blocks.
 */
const BLOCK = 16 * 256;
const block = Buffer.alloc(BLOCK);
let used = BLOCK;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A new id, made now. */
export function newId(now: number = Date.now()): string {
  if (used === BLOCK) {
    randomFillSync(block);
    used = 0;
  }
  const at = used;
  used += 16;
  const time = now.toString(16).padStart(12, '0');
  const hex = (index: number): string => HEX[block[at + index] ?? 0] ?? '';
  const version = HEX[0x70 | ((block[at + 6] ?? 0) & 0x0f)];
  const variant = HEX[0x80 | ((block[at + 8] ?? 0) & 0x3f)];
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}${hex(7)}-${variant}${hex(9)}-${hex(10)}${hex(11)}${hex(12)}${hex(13)}${hex(14)}${hex(15)}`;
}

/** The millisecond an id was made in. */
export function madeAt(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
