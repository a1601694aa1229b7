// The kinds of values that an axis takes: how each is read from JSON and written one way only.
import { parseLinkRate, parseLinkTime } from '../../src/cli/link-options.ts';
import { formatByteSize, isPowerOfTwo, parseByteSize } from '../../src/machine/byte-size.ts';
import { MatrixError } from './matrix-error.ts';

/** A value on an axis, in the one form in which it is hashed. */
export type CellValue = string | number | boolean;

/** A kind of value. */
export interface ValueKind {
  /** What may stand there, in words. */
  readonly expects: string;
  /** The value in its one form; undefined if it is none. */
  readonly read: (value: unknown) => CellValue | undefined;
}

/** Page sizes that a RAM block takes. */
const LEAST_PAGE_BYTES = 4096;
const MOST_PAGE_BYTES = 16 * 2 ** 30;
const RATE_UNITS = ['', 'k', 'm', 'g', 't'] as const;
const TIME_UNITS = [
  ['s', 1e9],
  ['ms', 1e6],
  ['us', 1e3],
] as const;

function textOrNumber(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : undefined;
}

/** What `parse` makes of a text; undefined where it refuses. */
function attempt<T>(value: unknown, parse: (text: string) => T): T | undefined {
  const text = textOrNumber(value);
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

/** A length such as `512M`. */
export const SIZE: ValueKind = {
  expects: 'a size such as `4096`, `64K`, `512M` or `2G`',
  read: (value) => {
    const bytes = attempt(value, parseByteSize);
    return bytes === undefined ? undefined : formatByteSize(bytes);
  },
};

/** A page size. */
export const PAGE: ValueKind = {
  expects: 'a power of two from `4K` to `16G`',
  read: (value) => {
    const bytes = attempt(value, parseByteSize);
    const isPage =
      bytes !== undefined && isPowerOfTwo(bytes) && bytes >= LEAST_PAGE_BYTES && bytes <= MOST_PAGE_BYTES;
    return isPage ? formatByteSize(bytes) : undefined;
  },
};

/** A rate of a link such as `10gbit`. */
export const RATE: ValueKind = {
  expects: 'a rate such as `10gbit`, `2.5gbit` or `100mbit`',
  read: (value) => {
    const bytesPerSecond = attempt(value, (text) => parseLinkRate('link', text));
    if (bytesPerSecond === undefined) return undefined;
    let [bits, unit] = [bytesPerSecond * 8, 0];
    for (; unit < RATE_UNITS.length - 1 && bits >= 1000; unit += 1) bits /= 1000;
    return `${Number(bits.toPrecision(12))}${RATE_UNITS[unit]}bit`;
  },
};

/** A time such as `100us`. */
export const TIME: ValueKind = {
  expects: 'a time such as `100us`, `5ms` or `1s`',
  read: (value) => {
    const ns = attempt(value, (text) => parseLinkTime('rtt', text));
    if (ns === undefined) return undefined;
    if (ns === 0) return '0us';
    for (const [unit, unitNs] of TIME_UNITS) if (ns % unitNs === 0) return `${ns / unitNs}${unit}`;
    return `${ns}ns`;
  },
};

/** A whole number. */
export function wholeNumber(least: number, most: number): ValueKind {
  return {
    expects:
      most === 2 ** 32 - 1 ? `a whole number from ${least}` : `a whole number from ${least} to ${most}`,
    read: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
        ? value
        : undefined,
  };
}

/** On or off. */
export const SWITCH: ValueKind = {
  expects: '`true` or `false`',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
};

/** One of a few words. */
export function word(...words: readonly string[]): ValueKind {
  return {
    expects: words.map((one) => `\`${one}\``).join(', '),
    read: (value) => words.find((one) => one === value),
  };
}

/** A word, or what another kind takes. */
export function either(first: string, kind: ValueKind): ValueKind {
  return {
    expects: `\`${first}\`, or ${kind.expects}`,
    read: (value) => (value === first ? first : kind.read(value)),
  };
}

/** Reads a value that must be one of the kind. @throws MatrixError that names `where` */
export function readValue(where: string, kind: ValueKind, value: unknown): CellValue {
  const read = kind.read(value);
  if (read !== undefined) return read;
  const expects = kind.expects.replaceAll('`', '');
  throw new MatrixError(`${where}: expected ${expects}, found ${JSON.stringify(value)}`);
}
