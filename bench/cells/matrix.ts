// Reads a matrix: its form is checked to the last key, each value by its axis.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { AXES, AXIS_NAMES, type AxisName, isAxis } from './axes.ts';
import { type CellValue, readValue, wholeNumber } from './axis-values.ts';
import { MatrixError } from './matrix-error.ts';

/** Values for some axes: all combinations of them are meant. */
export type Combinations = Readonly<Partial<Record<AxisName, readonly CellValue[]>>>;

/** A matrix as it is written down. */
export interface Matrix {
  /** Of its file, without directory and ending. */
  readonly name: string;
  readonly title: string;
  readonly repeats: number;
  /** A run that takes longer is ended and has failed. */
  readonly limitSeconds: number;
  readonly fixed: Combinations;
  readonly axes: Combinations;
  readonly exclude: readonly Combinations[];
  readonly add: readonly Combinations[];
}

const KEYS = ['title', 'repeats', 'limit-seconds', 'fixed', 'axes', 'exclude', 'add'];
const DEFAULT_REPEATS = 3;
const DEFAULT_LIMIT_SECONDS = 300;

type JsonObject = Readonly<Record<string, unknown>>;

function objectAt(where: string, value: unknown): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new MatrixError(`${where}: expected an object, found ${JSON.stringify(value)}`);
}

function listAt(where: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new MatrixError(`${where}: expected a list, found ${JSON.stringify(value)}`);
}

function axisAt(where: string, name: string): AxisName {
  if (isAxis(name)) return name;
  throw new MatrixError(`${where}: no axis is called '${name}'; there are ${AXIS_NAMES.join(', ')}`);
}

function valuesAt(where: string, axis: AxisName, given: readonly unknown[]): CellValue[] {
  if (given.length === 0) throw new MatrixError(`${where}: expected at least one value, found none`);
  const values = given.map((value, index) => readValue(`${where}[${index}]`, AXES[axis].kind, value));
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) throw new MatrixError(`${where}: ${JSON.stringify(twice)} stands there twice`);
  return values;
}

/** Reads values by axis: single ones, lists of them, or either. */
function combinationsAt(where: string, value: unknown, form: 'single' | 'list' | 'either'): Combinations {
  const entries = Object.entries(objectAt(where, value)).map(([name, given]) => {
    const axis = axisAt(where, name);
    const place = `${where}.${name}`;
    if (form === 'list' || (form === 'either' && Array.isArray(given))) {
      return [axis, valuesAt(place, axis, listAt(place, given))];
    }
    return [axis, [readValue(place, AXES[axis].kind, given)]];
  });
  return Object.fromEntries(entries) as Combinations;
}

function rowsAt(where: string, value: unknown): Combinations[] {
  return listAt(where, value ?? []).map((row, index) => {
    const place = `${where}[${index}]`;
    const combinations = combinationsAt(place, row, 'either');
    if (Object.keys(combinations).length === 0)
      throw new MatrixError(`${place}: expected an axis, found none`);
    return combinations;
  });
}

/** Checks what a matrix says. @throws MatrixError that tells the place, what was expected there and what was found */
export function parseMatrix(json: unknown, name: string): Matrix {
  const matrix = objectAt(name, json);
  for (const key of Object.keys(matrix)) {
    if (!KEYS.includes(key)) {
      throw new MatrixError(`${name}: expected only ${KEYS.join(', ')}, found '${key}'`);
    }
  }
  const at = (key: string) => `${name}: ${key}`;
  const title = matrix['title'] ?? name;
  if (typeof title !== 'string' || title === '') {
    throw new MatrixError(`${at('title')}: expected a text, found ${JSON.stringify(title)}`);
  }
  const number = (key: string, fallback: number, most: number) =>
    Number(readValue(at(key), wholeNumber(1, most), matrix[key] ?? fallback));
  const fixed = combinationsAt(at('fixed'), matrix['fixed'] ?? {}, 'single');
  const axes = combinationsAt(at('axes'), matrix['axes'] ?? {}, 'list');
  for (const axis of Object.keys(axes)) {
    if (Object.hasOwn(fixed, axis)) throw new MatrixError(`${at('axes')}.${axis}: it is fixed as well`);
  }
  const add = rowsAt(at('add'), matrix['add']);
  if (Object.keys(axes).length === 0 && add.length === 0) {
    throw new MatrixError(`${name}: expected values in axes, or combinations in add, found neither`);
  }
  return {
    name,
    title,
    repeats: number('repeats', DEFAULT_REPEATS, 1000),
    limitSeconds: number('limit-seconds', DEFAULT_LIMIT_SECONDS, 86_400),
    fixed,
    axes,
    exclude: rowsAt(at('exclude'), matrix['exclude']),
    add,
  };
}

/** Reads the matrix in a file. @throws MatrixError */
export function readMatrix(path: string): Matrix {
  const name = basename(path).replace(/\.json$/, '');
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new MatrixError(`${path}: ${(error as Error).message}`);
  }
  return parseMatrix(json, name);
}
