// RAM for case after case: the same memory, zeroed, for allocating it anew takes longer than the case.
import { type RamBlockSpec, RamImage, type SharedRamImage } from '../../src/machine/ram-block.ts';

const pool = new Map<string, SharedRamImage>();
const MAX_POOLED = 16;

/** RAM of zeros that is all missing, whose memory is that of an earlier case with the same blocks. @throws MemoryMapError */
export function freshRam(specs: readonly RamBlockSpec[]): RamImage {
  const key = JSON.stringify(specs);
  const pooled = pool.get(key);
  if (pooled === undefined) {
    const image = RamImage.allocate(specs, 'missing');
    if (pool.size < MAX_POOLED) pool.set(key, image.shared);
    return image;
  }
  for (const { segments, pageStates, dirtyLog, dirty, sent, received } of pooled.blocks) {
    for (const memory of [...segments, pageStates, dirtyLog, dirty, sent, received])
      new Uint8Array(memory).fill(0);
  }
  return new RamImage(pooled);
}

/** A checksum of bytes that begin and end at whole 32-bit words. */
export function checksum(bytes: Uint8Array): number {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let sum = 0;
  for (let at = 0; at < words.length; at += 1) sum = Math.imul(sum ^ words[at]!, 0x9e3779b1) ^ (sum >>> 15);
  return sum;
}
