// Kinds of values in the feed's frames: what each checks, and the type that comes of it. Pure.
import { ProtocolError } from '../errors.ts';

/** A kind of value. */
export interface FeedField<T> {
  /** For documentation: `count`, `text`, `list of …`. */
  readonly kind: string;
  /** Returns the value with what is not declared left out. @throws ProtocolError `bad-frame` */
  readonly check: (value: unknown, where: string) => T;
}

/** The fields of a frame, or of an object in one. */
// biome-ignore lint/suspicious/noExplicitAny: a field of any value type
export type FeedFields = Readonly<Record<string, FeedField<any>>>;

type Defined<F extends FeedFields> = { readonly [K in keyof F]: F[K] extends FeedField<infer T> ? T : never };
type OptionalKeys<V> = { [K in keyof V]: undefined extends V[K] ? K : never }[keyof V];
/** The values of fields; an optional one may be left out. */
export type FeedValues<F extends FeedFields> = Omit<Defined<F>, OptionalKeys<Defined<F>>> &
  Partial<Pick<Defined<F>, OptionalKeys<Defined<F>>>>;

/** More entries than any frame of ours has. */
const MOST_ENTRIES = 8192;
const TEXT_LENGTH = 4096;

function refuse(where: string, expected: string, found: unknown): never {
  const shown = typeof found === 'string' ? `'${found.slice(0, 40)}'` : (JSON.stringify(found) ?? 'nothing');
  throw new ProtocolError('bad-frame', `${where}: expected ${expected}, found ${shown.slice(0, 60)}`);
}

/** Any finite number: a time in ns, a rate, a share. */
export const number: FeedField<number> = {
  kind: 'number',
  check: (value, where) =>
    typeof value === 'number' && Number.isFinite(value) ? value : refuse(where, 'a number', value),
};

/** A whole number from 0 to 2^53 - 1. */
export const count: FeedField<number> = {
  kind: 'count',
  check: (value, where) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
      ? value
      : refuse(where, 'a count', value),
};

/** Yes or no. */
export const flag: FeedField<boolean> = {
  kind: 'flag',
  check: (value, where) => (typeof value === 'boolean' ? value : refuse(where, 'true or false', value)),
};

/** A text of at most 4096 characters. */
export const text: FeedField<string> = {
  kind: 'text',
  check: (value, where) =>
    typeof value === 'string' && value.length <= TEXT_LENGTH
      ? value
      : refuse(where, `a text of at most ${TEXT_LENGTH} characters`, value),
};

/** Bytes. */
export const bytes: FeedField<Uint8Array> = {
  kind: 'bytes',
  check: (value, where) => (value instanceof Uint8Array ? value : refuse(where, 'bytes', value)),
};

/** One of a few words. */
export function oneOf<const W extends string>(...words: readonly W[]): FeedField<W> {
  return {
    kind: words.map((word) => `\`${word}\``).join(', '),
    check: (value, where) =>
      words.find((word) => word === value) ?? refuse(where, `one of ${words.join(', ')}`, value),
  };
}

/** A list of at most 8192 entries, or just so many. */
export function list<T>(of: FeedField<T>, length?: number): FeedField<readonly T[]> {
  return {
    kind: length === undefined ? `list of ${of.kind}` : `${length} × ${of.kind}`,
    check: (value, where) => {
      if (!Array.isArray(value) || value.length > MOST_ENTRIES) {
        return refuse(where, `a list of at most ${MOST_ENTRIES}`, value);
      }
      if (length !== undefined && value.length !== length) refuse(where, `${length} entries`, value.length);
      return value.map((entry: unknown, index) => of.check(entry, `${where}[${index}]`));
    },
  };
}

/** A value or null. */
export function nullable<T>(of: FeedField<T>): FeedField<T | null> {
  return {
    kind: `${of.kind} or null`,
    check: (value, where) => (value == null ? null : of.check(value, where)),
  };
}

/** A value that may be missing. */
export function optional<T>(of: FeedField<T>): FeedField<T | undefined> {
  return {
    kind: `${of.kind}, if any`,
    check: (value, where) => (value == null ? undefined : of.check(value, where)),
  };
}

/** An object with these fields; others are left out. */
export function object<const F extends FeedFields>(fields: F): FeedField<FeedValues<F>> {
  const entries = Object.entries(fields);
  return {
    kind: `{ ${entries.map(([name, field]) => `${name}: ${field.kind}`).join('; ')} }`,
    check: (value, where) => {
      if (!isMap(value)) return refuse(where, 'a map', value);
      const checked: Record<string, unknown> = {};
      for (const [name, field] of entries) {
        const found = field.check(Object.hasOwn(value, name) ? value[name] : undefined, `${where}.${name}`);
        if (found !== undefined) checked[name] = found;
      }
      return checked as FeedValues<F>;
    },
  };
}

/** A JSON object that another schema describes. */
export const document: FeedField<Readonly<Record<string, unknown>>> = {
  kind: 'JSON object',
  check: (value, where) => (isMap(value) ? value : refuse(where, 'a map', value)),
};

function isMap(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}
