// Sorts the bytes of a migration by what they are for.

import { COMMANDS } from '../protocol/commands.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { CONFIGURATION_SUBSECTIONS } from '../protocol/sections.ts';
import { channelOffset, type TimedEntry } from './timed-entry.ts';

const CLASS_BY_NAME: ReadonlyMap<string, string> = new Map([
  ...['HEADER', 'CONFIGURATION', ...Object.values(CONFIGURATION_SUBSECTIONS).map(({ name }) => name)].map(
    (name): [string, string] => [name, 'header and configuration'],
  ),
  ...Object.keys(COMMANDS).map((name): [string, string] => [name, 'commands']),
  ...['MEM_SIZE', 'RAM_LIST_ENTRY', 'RAM_LIST_PAGE_SIZE'].map((name): [string, string] => [name, 'RAM list']),
  ['ZERO', 'zero pages'],
  ['DEVICE_STATE', 'device states'],
  ['VMDESCRIPTION', 'VM description'],
]);

/** Counts bytes by class; every byte of every stream is in exactly one. */
export class ByteClasses {
  readonly #bytes = new Map<string, number>();

  /** Counts a record. A package counts as what is in it. */
  add({ dir, entry }: TimedEntry): void {
    if (entry.kind === 'error' || entry.name === 'PACKAGE') return;
    if (dir === 'ret') this.#add(`return path ${entry.name}`, entry.lengthBytes);
    else if (entry.name === 'PAGE') {
      this.#add('page contents', TARGET_PAGE_BYTES);
      this.#add('page words and names', entry.lengthBytes - TARGET_PAGE_BYTES);
    } else this.#add(CLASS_BY_NAME.get(entry.name) ?? 'section framing', entry.lengthBytes);
  }

  #add(name: string, lengthBytes: number): void {
    this.#bytes.set(name, (this.#bytes.get(name) ?? 0) + lengthBytes);
  }

  /** Bytes by class, and as `not decoded` what is left of `totalBytes`. */
  list(totalBytes: number): Readonly<Record<string, number>> {
    const decoded = [...this.#bytes.values()].reduce((sum, lengthBytes) => sum + lengthBytes, 0);
    const rest = totalBytes - decoded;
    return { ...Object.fromEntries(this.#bytes), ...(rest > 0 ? { 'not decoded': rest } : {}) };
  }
}

/** Where an entry stands, for an anomaly. */
export function placeOf({ tSeconds, conn, dir, entry }: TimedEntry) {
  return { tSeconds, conn, dir, offset: channelOffset(entry) };
}
