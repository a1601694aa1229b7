// Writes the blocks of a pcapng file from the format's description.
import { half, hexBytes, word } from './captured-bytes.ts';

/** Blocks in one byte order. */
export function pcapngWriter(isLittle: boolean) {
  const w = (value: number) => word(value, isLittle);
  const h = (value: number) => half(value, isLittle);
  const block = (type: number, ...parts: Uint8Array[]): Uint8Array => {
    const body = Buffer.concat(parts);
    const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
    return Buffer.concat([w(type), w(padded.length + 12), padded, w(padded.length + 12)]);
  };
  return {
    section: () => block(0x0a0d0d0a, w(0x1a2b3c4d), h(1), h(0), w(0xffff_ffff), w(0xffff_ffff)),
    /** `resolution`: the value of if_tsresol, behind an option that is not looked at. */
    interface: (linkType: number, resolution?: number) =>
      block(
        1,
        h(linkType),
        h(0),
        w(262_144),
        ...(resolution === undefined
          ? []
          : [h(2), h(3), hexBytes('6c6f 30 00'), h(9), h(1), Uint8Array.of(resolution, 0, 0, 0), w(0)]),
      ),
    enhanced: (index: number, time: [number, number], bytes: Uint8Array, originalBytes = bytes.length) =>
      block(6, w(index), w(time[0]), w(time[1]), w(bytes.length), w(originalBytes), bytes),
    old: (index: number, time: [number, number], bytes: Uint8Array) =>
      block(2, h(index), h(77), w(time[0]), w(time[1]), w(bytes.length), w(bytes.length), bytes),
    simple: (bytes: Uint8Array) => block(3, w(bytes.length), bytes),
    other: () => block(5, w(0), w(1), w(2)),
  };
}
