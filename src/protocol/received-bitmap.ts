// The received bitmap that follows a RECV_BITMAP message (wire section 7.2).
import { ProtocolError } from '../errors.ts';
import { hex, readBe64, writeBe64 } from './bytes.ts';

/** Ends every received bitmap. Kept as two halves: it does not fit a JavaScript number. */
const END_MARK = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef] as const;

/** Bytes in front of the bits. */
export const BITMAP_SIZE_BYTES = 8;
/** Bytes behind the bits. */
export const BITMAP_END_BYTES = END_MARK.length;

/** Length in bytes of the bits of `pageCount` target pages: whole 64-bit words. */
export function bitmapBytes(pageCount: number): number {
  return Math.ceil(pageCount / 64) * 8;
}

/** Size, bits (bit i of byte i/8, least significant first: target page i was received) and end mark. */
export function encodeReceivedBitmap(bits: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(BITMAP_SIZE_BYTES + bits.length + BITMAP_END_BYTES);
  writeBe64(bytes, 0, bits.length);
  bytes.set(bits, BITMAP_SIZE_BYTES);
  bytes.set(END_MARK, BITMAP_SIZE_BYTES + bits.length);
  return bytes;
}

/** Reads the size in front of the bits. @throws ProtocolError `bad-bitmap` unless it is whole 64-bit words */
export function readBitmapSize(bytes: Uint8Array, at: number): number {
  const sizeBytes = readBe64(bytes, at);
  if (sizeBytes % 8 !== 0) {
    throw new ProtocolError(
      'bad-bitmap',
      `expected a bitmap size that is a multiple of 8, found ${sizeBytes}`,
      {
        rule: 'D99',
      },
    );
  }
  return sizeBytes;
}

/** @throws ProtocolError `bad-bitmap` unless the end mark stands at `at` */
export function checkBitmapEnd(bytes: Uint8Array, at: number): void {
  for (const [index, expected] of END_MARK.entries()) {
    const found = bytes[at + index]!;
    if (found === expected) continue;
    throw new ProtocolError(
      'bad-bitmap',
      `expected the bitmap's end mark 0x0123456789abcdef, found ${hex(found)} for its byte ${index}`,
      { rule: 'S37' },
    );
  }
}
