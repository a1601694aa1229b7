// The records of a `ram` section's payload: page words, the RAM list, zero pages (wire section 3).
import { ProtocolError } from '../errors.ts';
import { hex, writeBe32 } from './bytes.ts';
import { be64, counted, u8 } from './fields.ts';
import { defineMessage, joinBytes } from './message.ts';

/** Size in bytes of a target page, the unit of every page record. */
export const TARGET_PAGE_BYTES = 4096;

/** idstr of the section that carries guest RAM. */
export const RAM_IDSTR = 'ram';
/** The only version of the `ram` section. */
export const RAM_SECTION_VERSION = 4;

/** Flags of a page word, in its low twelve bits. */
export const RAM_FLAG = {
  FULL: 0x001,
  ZERO: 0x002,
  MEM_SIZE: 0x004,
  PAGE: 0x008,
  EOS: 0x010,
  CONTINUE: 0x020,
  XBZRLE: 0x040,
  HOOK: 0x080,
  COMPRESS_PAGE: 0x100,
  MULTIFD_FLUSH: 0x200,
} as const;

/** Flags that are known, and why we refuse them. */
export const REFUSED_FLAGS: ReadonlyMap<number, { name: string; why: string; rule: string }> = new Map([
  [RAM_FLAG.FULL, { name: 'FULL', why: 'it is obsolete and no source sends it', rule: 'D66' }],
  [RAM_FLAG.XBZRLE, { name: 'XBZRLE', why: 'the capability xbzrle is off here', rule: 'D75' }],
  [RAM_FLAG.HOOK, { name: 'HOOK', why: 'it belongs to RDMA', rule: 'D74' }],
  [
    RAM_FLAG.COMPRESS_PAGE,
    { name: 'COMPRESS_PAGE', why: 'the capability compress is off here', rule: 'D74' },
  ],
  [RAM_FLAG.MULTIFD_FLUSH, { name: 'MULTIFD_FLUSH', why: 'the capability multifd is off here', rule: 'D74' }],
]);

/** Throws the error that names an unusable flag combination. */
export function refuseFlags(flags: number): never {
  const refused = REFUSED_FLAGS.get(flags & ~RAM_FLAG.CONTINUE);
  if (refused !== undefined) {
    throw new ProtocolError(
      'refused-record',
      `expected a page record, found ${refused.name}: ${refused.why}`,
      {
        rule: refused.rule,
      },
    );
  }
  throw new ProtocolError(
    'bad-page-flags',
    `expected exactly one of the flags ZERO, MEM_SIZE, PAGE or EOS, found ${hex(flags, 3)}`,
    { rule: 'D66' },
  );
}

/** Length and name of one block in the RAM list. The page size stands in a field of its own. */
export const RAM_LIST_ENTRY = defineMessage('RAM_LIST_ENTRY', {
  code: RAM_FLAG.MEM_SIZE,
  doc: 'Names a RAM block and its used length.',
  fields: { block: counted, length: be64 },
});

/** Follows an entry of the RAM list exactly if postcopy is advised and the block's host page is not the default. */
export const RAM_LIST_PAGE_SIZE = defineMessage('RAM_LIST_PAGE_SIZE', {
  code: RAM_FLAG.MEM_SIZE,
  doc: 'Host page size of the block just named.',
  fields: { pageSize: be64 },
});

/** Body of a ZERO record, behind its page word and block name. */
export const ZERO_BODY = defineMessage('ZERO', {
  code: RAM_FLAG.ZERO,
  doc: 'A target page that is filled with one byte, always 0 from QEMU.',
  fields: { fill: u8 },
});

/** One block of the RAM list. */
export interface RamListEntry {
  readonly block: string;
  /** Used length, in bytes. */
  readonly length: number;
  /** Host page size in bytes, where the entry carries it. */
  readonly pageSize?: number;
}

/** Writes the word that begins each record: `offset` in bytes, a multiple of the target page, and `flags`. */
export function writePageWord(into: Uint8Array, at: number, offset: number, flags: number): void {
  const upper = Math.floor(offset / 0x1_0000_0000);
  writeBe32(into, at, upper);
  writeBe32(into, at + 4, offset - upper * 0x1_0000_0000 + flags);
}

function pageWord(offset: number, flags: number): Uint8Array {
  const word = new Uint8Array(8);
  writePageWord(word, 0, offset, flags);
  return word;
}

/** Page word and, unless `block` is undefined (CONTINUE), the block's name. */
export function encodeRecordHead(offset: number, flags: number, block: string | undefined): Uint8Array {
  if (block === undefined) return pageWord(offset, flags | RAM_FLAG.CONTINUE);
  return joinBytes([pageWord(offset, flags), counted.encode(block)]);
}

/** A whole ZERO record; without `block`, of the block last named. */
export function encodeZeroRecord(offset: number, block: string | undefined, fill = 0): Uint8Array {
  return joinBytes([encodeRecordHead(offset, RAM_FLAG.ZERO, block), ZERO_BODY.encode({ fill })]);
}

/** The RAM list: total length and every block, without the EOS that ends the payload. */
export function encodeRamList(blocks: readonly RamListEntry[]): Uint8Array {
  const total = blocks.reduce((sum, entry) => sum + entry.length, 0);
  return joinBytes([
    pageWord(total, RAM_FLAG.MEM_SIZE),
    ...blocks.flatMap((entry) => [
      RAM_LIST_ENTRY.encode(entry),
      ...(entry.pageSize === undefined ? [] : [RAM_LIST_PAGE_SIZE.encode({ pageSize: entry.pageSize })]),
    ]),
  ]);
}

/** The record that ends a payload. */
export function encodeEos(): Uint8Array {
  return pageWord(0, RAM_FLAG.EOS);
}
