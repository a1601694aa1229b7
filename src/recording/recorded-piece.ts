// What a recording is made of: bytes of one direction of one connection, and when they passed.
import { TransportError } from '../errors.ts';
import type { Direction } from '../protocol/dissection-entry.ts';

/** Bytes that passed. */
export interface RecordedPiece {
  /** Seconds since the first byte of the recording; undefined where nobody took the time. */
  readonly tSeconds: number | undefined;
  /** Number of the connection in the order in which they were opened: 0 is the main channel. */
  readonly conn: number;
  readonly dir: Direction;
  /** A view that is valid until the next piece is asked for. */
  readonly bytes: Uint8Array;
  /** Why nothing more of this direction can be told: the capture has a hole here. */
  readonly gap?: TransportError;
}

/** Name of the file that holds one direction of a connection. */
export function streamFileName(conn: number, dir: Direction): string {
  return `c${conn}.${dir}.bin`;
}

/** Name of the file that tells when which bytes passed. */
export const INDEX_FILE_NAME = 'index.jsonl';
/** Name of the file that is written last, and tells what came of it. */
export const RESULT_FILE_NAME = 'result.json';

/** One line of the index. */
export interface IndexEntry {
  readonly tSeconds: number;
  readonly conn: number;
  readonly dir: Direction;
  /** Offset of the bytes in the file of their direction. */
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Writes a line of the index, with its end of line. */
export function formatIndexLine({ tSeconds, conn, dir, offset, lengthBytes }: IndexEntry): string {
  return `${JSON.stringify({ t: Number(tSeconds.toFixed(6)), conn, dir, off: offset, len: lengthBytes })}\n`;
}

/** Reads a line of the index. @throws TransportError `bad-recording` */
export function parseIndexLine(line: string, lineNumber: number): IndexEntry {
  const { t, conn, dir, off, len } = readObject(line);
  const isGood =
    isCount(conn) &&
    isCount(off) &&
    isCount(len) &&
    (dir === 'fwd' || dir === 'ret') &&
    typeof t === 'number';
  if (isGood) return { tSeconds: t, conn, dir, offset: off, lengthBytes: len };
  throw new TransportError(
    'bad-recording',
    `line ${lineNumber} of the index: expected {"t", "conn", "dir", "off", "len"}, found '${line.slice(0, 100)}'`,
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function readObject(line: string): Record<'t' | 'conn' | 'dir' | 'off' | 'len', unknown> {
  const nothing = { t: undefined, conn: undefined, dir: undefined, off: undefined, len: undefined };
  try {
    return { ...nothing, ...(JSON.parse(line) as object) };
  } catch {
    return nothing; // said by the caller, with the line
  }
}
