// The kinds of field that messages are made of: each knows how to be measured, read, written and printed.
import { LimitError } from '../errors.ts';
import {
  decodeLatin1,
  decodeUtf8,
  encodeLatin1,
  encodeUtf8,
  hex,
  readBe32,
  readBe64,
  writeBe32,
  writeBe64,
} from './bytes.ts';

/** One field of a message, of the TypeScript type `T`. */
export interface Field<T> {
  /** How the field is named in documentation, such as `u32`. */
  readonly kind: string;
  /** Length in bytes if it never varies. */
  readonly fixedBytes?: number;
  /**
   * How many bytes the field at `at` takes, looking no further than `end`. A result beyond `end` means: at
   * least so many must be there before the field can be read.
   */
  measure(bytes: Uint8Array, at: number, end: number): number;
  /** Reads the field, whose `length` bytes are all there. */
  read(bytes: Uint8Array, at: number, length: number): T;
  /** The field's bytes. */
  encode(value: T): Uint8Array;
  /** The value as the dissector prints it. */
  show(value: T): string;
}

/** A run of bytes of a RAM block. */
export interface ByteRange {
  /** Offset in the block, in bytes. */
  readonly start: number;
  /** Length in bytes. */
  readonly length: number;
}

function fixed<T>(
  kind: string,
  fixedBytes: number,
  read: (bytes: Uint8Array, at: number) => T,
  write: (bytes: Uint8Array, value: T) => void,
  show: (value: T) => string,
): Field<T> {
  return {
    kind,
    fixedBytes,
    measure: () => fixedBytes,
    read,
    encode(value) {
      const bytes = new Uint8Array(fixedBytes);
      write(bytes, value);
      return bytes;
    },
    show,
  };
}

/** An unsigned byte. */
export const u8: Field<number> = fixed(
  'u8',
  1,
  (bytes, at) => bytes[at]!,
  (bytes, value) => {
    bytes[0] = value;
  },
  String,
);

/** A big-endian unsigned 32-bit integer, printed in decimal. */
export const be32: Field<number> = fixed(
  'u32',
  4,
  readBe32,
  (bytes, value) => writeBe32(bytes, 0, value),
  String,
);

/** A big-endian unsigned 32-bit integer that holds a length in bytes or a magic, printed in hexadecimal. */
export const be32Hex: Field<number> = { ...be32, show: (value) => hex(value) };

/** A big-endian unsigned 64-bit integer below 2^53, printed in hexadecimal. */
export const be64: Field<number> = fixed(
  'u64',
  8,
  readBe64,
  (bytes, value) => writeBe64(bytes, 0, value),
  (value) => hex(value),
);

/** Raw bytes of a fixed length, such as a UUID. */
export function rawBytes(length: number): Field<Uint8Array> {
  return fixed(
    `${length} bytes`,
    length,
    (bytes, at) => bytes.slice(at, at + length),
    (bytes, value) => bytes.set(value),
    (value) => Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join(''),
  );
}

/** A name of at most 255 bytes behind its length in one byte; no terminator. */
export const counted: Field<string> = {
  kind: 'u8 n, n bytes',
  measure: (bytes, at, end) => (at < end ? 1 + bytes[at]! : 1),
  read: (bytes, at, length) => decodeLatin1(bytes.subarray(at + 1, at + length)),
  encode(value) {
    const name = encodeLatin1(value);
    if (name.length > 255)
      throw new LimitError('name-too-long', `expected at most 255 bytes, found '${value}'`);
    return Uint8Array.from([name.length, ...name]);
  },
  show: (value) => JSON.stringify(value),
};

/** A name behind its length in four bytes, refused above `limitBytes` before any of it is awaited. */
export function longCounted(limitBytes: number): Field<string> {
  return {
    kind: 'u32 n, n bytes',
    measure(bytes, at, end) {
      if (end - at < 4) return 4;
      const length = readBe32(bytes, at);
      if (length > limitBytes) {
        throw new LimitError(
          'name-too-long',
          `expected a name of at most ${limitBytes} bytes, found ${length}`,
        );
      }
      return 4 + length;
    },
    read: (bytes, at, length) => decodeLatin1(bytes.subarray(at + 4, at + length)),
    encode(value) {
      const name = encodeLatin1(value);
      const bytes = new Uint8Array(4 + name.length);
      writeBe32(bytes, 0, name.length);
      bytes.set(name, 4);
      return bytes;
    },
    show: (value) => JSON.stringify(value),
  };
}

/** A list of names behind its count in four bytes, refused above `limitCount`. */
export function nameList(limitCount: number): Field<readonly string[]> {
  const walk = (bytes: Uint8Array, at: number, end: number, visit?: (name: string) => void): number => {
    if (end - at < 4) return 4;
    const count = readBe32(bytes, at);
    if (count > limitCount) {
      throw new LimitError('list-too-long', `expected at most ${limitCount} names, found ${count}`);
    }
    let next = at + 4;
    for (let index = 0; index < count; index += 1) {
      const length = counted.measure(bytes, next, end);
      if (next + length > end) return next + length - at;
      visit?.(counted.read(bytes, next, length));
      next += length;
    }
    return next - at;
  };
  return {
    kind: 'u32 k, k x (u8 n, n bytes)',
    measure: (bytes, at, end) => walk(bytes, at, end),
    read(bytes, at, length) {
      const names: string[] = [];
      walk(bytes, at, at + length, (name) => names.push(name));
      return names;
    },
    encode(value) {
      const count = new Uint8Array(4);
      writeBe32(count, 0, value.length);
      return Uint8Array.from([...count, ...value.flatMap((name) => [...counted.encode(name)])]);
    },
    show: (value) => JSON.stringify(value),
  };
}

/** Byte ranges up to the end of the payload: pairs of u64 start and u64 length. */
export const ranges: Field<readonly ByteRange[]> = {
  kind: 'k x (u64 start, u64 length)',
  measure: (_bytes, at, end) => end - at,
  read(bytes, at, length) {
    const list: ByteRange[] = [];
    for (let next = at; next + 16 <= at + length; next += 16) {
      list.push({ start: readBe64(bytes, next), length: readBe64(bytes, next + 8) });
    }
    return list;
  },
  encode(value) {
    const bytes = new Uint8Array(16 * value.length);
    value.forEach((range, index) => {
      writeBe64(bytes, 16 * index, range.start);
      writeBe64(bytes, 16 * index + 8, range.length);
    });
    return bytes;
  },
  show: (value) => `[${value.map((range) => `${hex(range.start)}+${hex(range.length)}`).join(',')}]`,
};

/** UTF-8 text up to the end of the payload, cut to `limitBytes` when written and refused above when read. */
export function text(limitBytes: number): Field<string> {
  return {
    kind: `UTF-8 text, at most ${limitBytes} bytes`,
    measure(_bytes, at, end) {
      const length = end - at;
      if (length > limitBytes) {
        throw new LimitError(
          'text-too-long',
          `expected at most ${limitBytes} bytes of text, found ${length}`,
        );
      }
      return length;
    },
    read: (bytes, at, length) => decodeUtf8(bytes.subarray(at, at + length)),
    encode: (value) => encodeUtf8(value, limitBytes),
    show: (value) => JSON.stringify(value),
  };
}
