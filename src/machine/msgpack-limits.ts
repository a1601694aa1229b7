// Refuses MessagePack whose lengths lie, before a library trusts them.

/** How much a document may hold. */
export interface MsgpackLimits {
  readonly depth: number;
  /** Entries of one array or map. */
  readonly entries: number;
}

// First byte → bytes of its length field (or of the value itself), for the types 0xc0 to 0xdf of the format.
const FIXED_BYTES: Readonly<Record<number, number>> = {
  192: 0,
  194: 0,
  195: 0,
  202: 4,
  203: 8,
  204: 1,
  205: 2,
  206: 4,
  207: 8,
  208: 1,
  209: 2,
  210: 4,
  211: 8,
};
const COUNTED_BYTES: Readonly<Record<number, 1 | 2 | 4>> = {
  196: 1,
  197: 2,
  198: 4,
  217: 1,
  218: 2,
  219: 4,
};
const CONTAINERS: Readonly<Record<number, { readonly lengthBytes: 2 | 4; readonly itemsPerEntry: 1 | 2 }>> = {
  220: { lengthBytes: 2, itemsPerEntry: 1 },
  221: { lengthBytes: 4, itemsPerEntry: 1 },
  222: { lengthBytes: 2, itemsPerEntry: 2 },
  223: { lengthBytes: 4, itemsPerEntry: 2 },
};

/**
 * Walks one document and tells what is wrong with its lengths, or undefined if it is whole, within the limits, and ends
 * with the last byte. It looks at lengths only: msgpack-lite would allocate what a length claims (32 Mi entries for
 * five bytes), recurse as deep as the bytes say, and ignore what follows the document. Extension types are refused.
 */
export function findMsgpackFault(bytes: Uint8Array, limits: MsgpackLimits): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;

  const readLength = (lengthBytes: 1 | 2 | 4): number => {
    const from = at;
    at += lengthBytes;
    if (at > bytes.length) return 0;
    if (lengthBytes === 1) return view.getUint8(from);
    return lengthBytes === 2 ? view.getUint16(from) : view.getUint32(from);
  };

  const walk = (depth: number): string | undefined => {
    if (at >= bytes.length) return `it ends early, at byte ${at}`;
    const start = at;
    const first = bytes[at]!;
    at += 1;
    let entries = 0;
    let itemsPerEntry: 1 | 2 = 1;
    if (first < 0x80 || first >= 0xe0) return undefined;
    if (first < 0x90) {
      entries = first & 0x0f;
      itemsPerEntry = 2;
    } else if (first < 0xa0) {
      entries = first & 0x0f;
    } else if (first < 0xc0) {
      at += first & 0x1f;
    } else if (FIXED_BYTES[first] !== undefined) {
      at += FIXED_BYTES[first];
    } else if (COUNTED_BYTES[first] !== undefined) {
      // Not `at += readLength(...)`: that would add to the position from before the length was read.
      const valueBytes = readLength(COUNTED_BYTES[first]);
      at += valueBytes;
    } else if (CONTAINERS[first] !== undefined) {
      itemsPerEntry = CONTAINERS[first].itemsPerEntry;
      entries = readLength(CONTAINERS[first].lengthBytes);
    } else {
      return `byte ${start} is 0x${first.toString(16)}, an extension or no type at all`;
    }
    if (at > bytes.length) return `the value at byte ${start} ends beyond the ${bytes.length} bytes`;
    if (entries > limits.entries)
      return `${entries} entries at byte ${start}, at most ${limits.entries} allowed`;
    if (entries > 0 && depth === 0) return `it is nested deeper than ${limits.depth} at byte ${start}`;
    for (let i = 0; i < entries * itemsPerEntry; i += 1) {
      const fault = walk(depth - 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };

  const fault = walk(limits.depth);
  if (fault !== undefined) return fault;
  return at === bytes.length ? undefined : `${bytes.length - at} bytes follow it`;
}
