// Records of a ram section that no encoder of ours makes: other flags, other totals, bodies of other kinds.
import { counted } from '../protocol/fields.ts';
import { joinBytes } from '../protocol/message.ts';
import { RAM_FLAG, RAM_LIST_ENTRY, writePageWord } from '../protocol/ram-records.ts';
import type { LayoutBlock } from './subject.ts';

const WORD_BYTES = 8;

/** The word of a record, with any flags, and what follows it. */
export function rawRecord(offset: number, flags: number, ...rest: readonly Uint8Array[]): Uint8Array {
  const word = new Uint8Array(WORD_BYTES);
  writePageWord(word, 0, offset, flags);
  return joinBytes([word, ...rest]);
}

/** A record that names its block. */
export function namedRecord(
  block: string,
  offset: number,
  flags: number,
  ...body: readonly Uint8Array[]
): Uint8Array {
  return rawRecord(offset, flags, counted.encode(block), ...body);
}

/** A RAM list with any total and no page sizes. */
export function rawRamList(total: number, blocks: readonly LayoutBlock[]): Uint8Array {
  const entries = blocks.map(({ name, lengthBytes }) =>
    RAM_LIST_ENTRY.encode({ block: name, length: lengthBytes }),
  );
  return rawRecord(total, RAM_FLAG.MEM_SIZE, ...entries);
}
