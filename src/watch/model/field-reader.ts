// Takes fields out of a decoded map and refuses what is not of the form, size and range that is asked for.

/** Why a frame was refused. */
export class FrameFault extends Error {
  override readonly name = 'FrameFault';
}

/** Beyond it a number is no longer exact. */
const MOST = Number.MAX_SAFE_INTEGER;

/** A map that came over the wire, and is not trusted. */
export class FieldReader {
  readonly #map: Readonly<Record<string, unknown>>;
  readonly #where: string;

  /** @throws FrameFault if it is no map */
  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
      throw new FrameFault(`${where} is no map`);
    }
    this.#map = value as Readonly<Record<string, unknown>>;
    this.#where = where;
  }

  #value(key: string): unknown {
    return Object.hasOwn(this.#map, key) ? this.#map[key] : undefined;
  }

  #fault(key: string, expected: string): FrameFault {
    return new FrameFault(`${this.#where}.${key} is not ${expected}`);
  }

  /** Whether there is such a field, and it is not null. */
  has(key: string): boolean {
    return this.#value(key) != null;
  }

  /** A finite number of at least 0; `otherwise` if there is none. */
  number(key: string, otherwise?: number, most = MOST): number {
    const value = this.#value(key) ?? otherwise;
    if (typeof value === 'number' && value >= 0 && value <= most) return value;
    throw this.#fault(key, `a number from 0 to ${most}`);
  }

  /** The same, whole. */
  whole(key: string, otherwise?: number, most = MOST): number {
    const value = this.number(key, otherwise, most);
    if (Number.isInteger(value)) return value;
    throw this.#fault(key, 'a whole number');
  }

  /** A finite number of at least 0, or null where it is missing. */
  numberOrNull(key: string): number | null {
    return this.has(key) ? this.number(key) : null;
  }

  /** A text, cut after `most` characters; empty if there is none. */
  text(key: string, most = 200): string {
    const value = this.#value(key);
    if (value == null) return '';
    if (typeof value !== 'string') throw this.#fault(key, 'a text');
    return value.length > most ? `${value.slice(0, most)}…` : value;
  }

  /** A text that names something: not empty, and never cut. */
  name(key: string, most = 256): string {
    const value = this.#value(key);
    if (typeof value === 'string' && value.length > 0 && value.length <= most) return value;
    throw this.#fault(key, `a name of 1 to ${most} characters`);
  }

  /** One of a few words. */
  choice<const T extends string>(key: string, choices: readonly T[]): T {
    const found = choices.find((choice) => choice === this.#value(key));
    if (found === undefined) throw this.#fault(key, `one of ${choices.join(', ')}`);
    return found;
  }

  /** A truth value; false if there is none. */
  flag(key: string): boolean {
    const value = this.#value(key) ?? false;
    if (typeof value !== 'boolean') throw this.#fault(key, 'true or false');
    return value;
  }

  /** Bytes. */
  bytes(key: string, most: number): Uint8Array {
    const value = this.#value(key);
    if (value instanceof Uint8Array && value.length <= most) return value;
    throw this.#fault(key, `at most ${most} bytes`);
  }

  /** A map within this one. */
  map(key: string): FieldReader {
    return new FieldReader(this.#value(key), `${this.#where}.${key}`);
  }

  /** A list of numbers. */
  numbers(key: string, count: number): number[] {
    const value = this.#value(key);
    const isGood = (item: unknown): item is number => typeof item === 'number' && item >= 0 && item <= MOST;
    if (Array.isArray(value) && value.length === count && value.every(isGood)) return [...value];
    throw this.#fault(key, `${count} numbers`);
  }

  /** A list of maps, each read by `read`; empty if there is none. */
  list<T>(key: string, most: number, read: (item: FieldReader) => T): T[] {
    const value = this.#value(key) ?? [];
    if (!Array.isArray(value) || value.length > most) throw this.#fault(key, `a list of at most ${most}`);
    return value.map((item, index) => read(new FieldReader(item, `${this.#where}.${key}[${index}]`)));
  }
}
