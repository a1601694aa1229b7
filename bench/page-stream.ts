// A stream of page records in memory, for benches of what reads it.
import {
  encodeEos,
  encodeRecordHead,
  RAM_FLAG,
  TARGET_PAGE_BYTES,
  writePageWord,
} from '../src/protocol/ram-records.ts';

/** How much of the stream is handed over at once: what a socket's read buffer holds. */
export const CHUNK_BYTES = 256 * 1024;

/** `pageCount` records of non-zero pages of the block `name`, in order of offset, without the EOS. */
export function encodePages(name: string, pageCount: number): Uint8Array {
  const head = encodeRecordHead(0, RAM_FLAG.PAGE, name);
  const bytes = new Uint8Array(head.length + pageCount * TARGET_PAGE_BYTES + (pageCount - 1) * 8);
  bytes.fill(0x5a);
  bytes.set(head);
  for (let page = 1, at = head.length + TARGET_PAGE_BYTES; page < pageCount; page += 1) {
    writePageWord(bytes, at, page * TARGET_PAGE_BYTES, RAM_FLAG.PAGE | RAM_FLAG.CONTINUE);
    at += 8 + TARGET_PAGE_BYTES;
  }
  return bytes;
}

/** The record that ends a payload. */
export const EOS = encodeEos();

/** Hands `bytes` to `push` in chunks as a socket would. */
export function inChunks(bytes: Uint8Array, push: (start: number, end: number) => void): void {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) push(at, Math.min(at + CHUNK_BYTES, bytes.length));
}
