// Integer hashing: the one source of randomness of guests.

/** Added to a guest's random state at each step (2^32 over the golden ratio), so that it passes every 32-bit value. */
export const RANDOM_INCREMENT = 0x9e3779b9;

/** Hashes a 32-bit number to another, one to one (the finalizer of MurmurHash3); the result is unsigned. */
export function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Maps a 32-bit hash evenly to 0..count-1. Exact products and quotients only, so every machine agrees. */
export function scaleHash(hash: number, count: number): number {
  return Math.floor((hash / 4294967296) * count);
}

/** Hashes a text to 32 bits. */
export function hashText(text: string): number {
  let h = 0;
  for (const byte of Buffer.from(text)) h = mix32(h ^ byte);
  return h;
}
