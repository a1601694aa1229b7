// Reads and writes the stream's integers and counted strings, always big-endian, over one contiguous array.
import { LimitError, ProtocolError } from '../errors.ts';

const TWO_32 = 0x1_0000_0000;
/** Highest upper half of a 64-bit value that a JavaScript number still holds exactly (2^53 - 1). */
const MAX_SAFE_UPPER = 0x1f_ffff;

/** Reads the unsigned 32-bit integer at `at`. */
export function readBe32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Reads the unsigned 64-bit integer at `at`. @throws LimitError `integer-too-large` above 2^53 - 1 */
export function readBe64(bytes: Uint8Array, at: number): number {
  const upper = readBe32(bytes, at);
  const lower = readBe32(bytes, at + 4);
  if (upper > MAX_SAFE_UPPER) {
    const hex = upper.toString(16) + lower.toString(16).padStart(8, '0');
    throw new LimitError('integer-too-large', `expected an integer below 2^53, found 0x${hex}`);
  }
  // A sum with 2^32 is a double to V8, and code that was compiled for small integers is thrown away when it meets one.
  return upper === 0 ? lower : upper * TWO_32 + lower;
}

/** Writes the unsigned 32-bit integer `value` at `at`. */
export function writeBe32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes the unsigned 64-bit integer `value` (below 2^53) at `at`. */
export function writeBe64(bytes: Uint8Array, at: number, value: number): void {
  writeBe32(bytes, at, Math.floor(value / TWO_32));
  writeBe32(bytes, at + 4, value % TWO_32);
}

/** Bytes as text, one character a byte: names on the wire have no declared encoding, so none is lost. */
export function decodeLatin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Text as bytes, one byte a character. @throws LimitError `text-not-latin1` for a character above 0xff */
export function encodeLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    if (code > 0xff || character.length > 1) {
      throw new LimitError(
        'text-not-latin1',
        `expected one byte a character, found '${character}' in '${text}'`,
      );
    }
    return code;
  });
}

/** Strict UTF-8 decoding with the language's own functions, since this room has no platform types. */
export function decodeUtf8(bytes: Uint8Array): string {
  let escaped = '';
  for (const byte of bytes) escaped += `%${byte.toString(16).padStart(2, '0')}`;
  try {
    return decodeURIComponent(escaped);
  } catch {
    throw new ProtocolError('bad-utf8', 'expected UTF-8 text, found bytes that are not');
  }
}

/** Text as UTF-8, cut to at most `limitBytes` between characters. */
export function encodeUtf8(text: string, limitBytes = Number.POSITIVE_INFINITY): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const isLoneSurrogate = /[\ud800-\udfff]/.test(character) && character.length === 1;
    const coded = encodeURIComponent(isLoneSurrogate ? '\ufffd' : character);
    const piece = coded.startsWith('%')
      ? coded
          .slice(1)
          .split('%')
          .map((digits) => Number.parseInt(digits, 16))
      : [coded.charCodeAt(0)];
    if (bytes.length + piece.length > limitBytes) break;
    bytes.push(...piece);
  }
  return Uint8Array.from(bytes);
}

/** A value in hexadecimal, as every message and dissection prints it. */
export function hex(value: number, digits = 1): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
