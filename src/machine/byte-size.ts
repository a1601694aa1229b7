// Sizes in bytes as people write them: 4K, 16M, 1G.

import { OptionError } from '../errors.ts';

const UNITS = ['', 'K', 'M', 'G', 'T'] as const;

/** Reads `4096`, `4K`, `16M`, `1G`, `2T` (binary units, either case) as bytes. Throws OptionError `bad-size`. */
export function parseByteSize(text: string): number {
  const match = /^(\d+)([KMGT]?)$/i.exec(text);
  const unit = UNITS.indexOf((match?.[2] ?? '').toUpperCase() as (typeof UNITS)[number]);
  const bytes = match === null ? Number.NaN : Number(match[1]) * 1024 ** unit;
  if (!Number.isSafeInteger(bytes)) {
    throw new OptionError(
      'bad-size',
      `expected a size such as 4096, 4K, 16M or 1G below 2^53, got '${text}'`,
    );
  }
  return Math.trunc(bytes); // a product with a power is a double to V8, and so all that is reckoned from it
}

/** Writes bytes with the largest binary unit that divides them exactly (`16M`), else as plain bytes. */
export function formatByteSize(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value !== 0 && unit < UNITS.length - 1 && value % 1024 === 0) {
    value /= 1024;
    unit += 1;
  }
  return `${value}${UNITS[unit]}`;
}

/** Tells whether `n` is a power of two; exact for every integer up to 2^53, where `n & (n - 1)` is not. */
export function isPowerOfTwo(n: number): boolean {
  if (!Number.isSafeInteger(n) || n < 1) return n === 2 ** 53;
  let rest = n;
  while (rest % 2 === 0) rest /= 2;
  return rest === 1;
}
