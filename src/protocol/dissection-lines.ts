// How a dissection writes a record or an error: one line each, offset and length first.
import { MigrationError } from '../errors.ts';
import { hex } from './bytes.ts';
import type { MessageTable } from './message.ts';

/** Takes the lines of a dissection. */
export type LineSink = (line: string) => void;

/** The line of a record: where it stands, how long it is, its name, and its fields as `name=value`. */
export function recordLine(offset: number, lengthBytes: number, name: string, fields = ''): string {
  const head = `off=${hex(offset, 4)} len=${lengthBytes} ${name}`;
  return fields === '' ? head : `${head} ${fields}`;
}

/** The line of an error. @throws whatever is not a MigrationError: it is a bug and no finding */
export function errorLine(error: unknown): string {
  if (!(error instanceof MigrationError)) throw error;
  const rule = error.rule === undefined ? '' : ` [${error.rule}]`;
  return `error off=${hex(error.offset ?? 0, 4)} ${error.name} ${error.code}${rule} ${error.message}`;
}

/** A decoded message's fields, as the table that declares it prints them. */
export function showFields(
  types: ReadonlyMap<string, MessageTable[string]>,
  record: { name: string },
): string {
  const type = types.get(record.name);
  return type === undefined ? '' : type.show(record);
}

/** Declared messages by their name. */
export function indexByName(...tables: readonly MessageTable[]): ReadonlyMap<string, MessageTable[string]> {
  return new Map(tables.flatMap((table) => Object.values(table).map((type) => [type.name, type])));
}
