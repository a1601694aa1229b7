// What a fuzz target is: it makes cases, runs them, and says which property one has broken.

import { getHeapStatistics } from 'node:v8';
import type fc from 'fast-check';
import { MigrationError } from '../../src/errors.ts';

/** One piece of code under test. */
export interface FuzzTarget {
  readonly name: string;
  /** Cases as bytes, made of valid streams that were damaged. */
  readonly inputs: fc.Arbitrary<Uint8Array>;
  /** Runs a case, which may be any bytes. @throws PropertyFailure, or whatever crash the code under test has */
  run(input: Uint8Array): void;
  /** The case in words, one line each. */
  describe(input: Uint8Array): string[];
}

/** A property that does not hold. */
export class PropertyFailure extends Error {
  readonly property: string;

  constructor(property: string, message: string) {
    super(`${property}: ${message}`);
    this.name = 'PropertyFailure';
    this.property = property;
  }
}

/** @throws PropertyFailure unless the condition holds */
export function hold(condition: boolean, property: string, message: () => string): asserts condition {
  if (!condition) throw new PropertyFailure(property, message());
}

/** What makes two failures the same one, so that a smaller input is not one of another failure. */
export function failureKey(error: unknown): string {
  if (error instanceof PropertyFailure) return error.property;
  if (!(error instanceof Error)) return String(error);
  const place = /\n\s+at (.*?)(?: \(.*)?\n/.exec(`${error.stack}\n`)?.[1] ?? '';
  return `${error.name} at ${place}`;
}

/** Runs an action of the code under test; returns its coded error. @throws whatever else it throws: a crash */
export function codedErrorOf(action: () => void): MigrationError | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof PropertyFailure || !(error instanceof MigrationError)) throw error;
    hold(/^[a-z0-9]+(-[a-z0-9]+)*$/.test(error.code), 'coded error', () => `found the code '${error.code}'`);
    return error;
  }
  return undefined;
}

/** @throws PropertyFailure unless the error tells where in which of the streams it happened */
export function holdLocated(error: MigrationError, lengths: Readonly<Record<string, number>>): void {
  const { offset, stream } = error;
  const length = lengths[stream ?? ''];
  const isLocated = length !== undefined && offset !== undefined && offset >= 0 && offset <= length;
  hold(
    isLocated,
    'error tells where',
    () => `'${error.code}' at ${offset} of '${stream}', which has ${length} bytes`,
  );
}

/** Bytes of array buffers that are taken beside the input, whatever it announces. */
const FREE_BYTES = 4 * 2 ** 20;
/** A growing array is copied to one of twice its length, and what is decoded is copied out of it. */
const BYTES_PER_INPUT_BYTE = 16;

/** @throws PropertyFailure if an action takes more memory than its input can be worth */
export function holdBounded<T>(inputBytes: number, action: () => T): T {
  const before = getHeapStatistics().external_memory;
  const result = action();
  const taken = getHeapStatistics().external_memory - before;
  const limit = FREE_BYTES + BYTES_PER_INPUT_BYTE * inputBytes;
  hold(taken <= limit, 'bounded memory', () => `${taken} bytes for an input of ${inputBytes}`);
  return result;
}

/** The coded error as one line, to compare two runs. */
export function errorLine(error: MigrationError | undefined): string {
  if (error === undefined) return 'no error';
  const { name, code, stream, offset, rule, state, message } = error;
  return `${name} ${code} ${stream}@${offset} [${rule}] in ${state}: ${message}`;
}

/** @throws PropertyFailure for the first line in which two runs of the same bytes differ */
export function holdSame(property: string, one: readonly string[], other: readonly string[]): void {
  const length = Math.max(one.length, other.length);
  for (let index = 0; index < length; index += 1) {
    const [left, right] = [one[index] ?? 'nothing', other[index] ?? 'nothing'];
    const shorten = (line: string) => (line.length > 200 ? `${line.slice(0, 200)}…` : line);
    hold(left === right, property, () => `line ${index}: '${shorten(left)}' or '${shorten(right)}'`);
  }
}
