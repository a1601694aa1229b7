// The content hash of a cell: under which its results are kept and found again.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Cell, differing, TRACE_PREFIX } from './axes.ts';

const KEY_LENGTH = 32;
/** Where paths in a matrix begin. */
const ROOT = new URL('../../../', import.meta.url);

/** Path of the trace of a cell; undefined if its guest replays none. */
export function tracePath(cell: Cell): string | undefined {
  const guest = String(cell.guest);
  if (!guest.startsWith(TRACE_PREFIX)) return undefined;
  return new URL(guest.slice(TRACE_PREFIX.length), ROOT).pathname;
}

function digest(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, KEY_LENGTH);
}

/** Hash of what a trace holds: another trace under the same name is another cell. Empty if there is no such file. */
function traceDigest(cell: Cell): string | undefined {
  const path = tracePath(cell);
  if (path === undefined) return undefined;
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch {
    return ''; // its run will tell
  }
}

/**
 * What a cell is, in a form that does not depend on the order of keys. Only what differs from the defaults counts, so an
 * axis that is added later leaves older results valid.
 */
function contentOf(cell: Cell): readonly unknown[] {
  const pairs = differing(cell).map((name) => [name, cell[name]] as const);
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  return [pairs, traceDigest(cell) ?? null];
}

/** Hash of a cell, the same for all its repeats. */
export function cellKey(cell: Cell): string {
  return digest(contentOf(cell));
}

/** Hash of one repeat of a cell. */
export function runKey(cell: Cell, repeat: number): string {
  return digest([contentOf(cell), repeat]);
}
