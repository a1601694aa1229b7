// Keeps the last records of a channel, and writes them as a dissection does when somebody asks.
import { streamRecordValues } from './dissect.ts';
import { returnPathValues } from './dissect-return-path.ts';
import type { Direction } from './dissection-entry.ts';
import { dissectionLine } from './dissection-lines.ts';
import type { ReturnPathRecord } from './return-path-decoder.ts';
import type { StreamRecord } from './stream-records.ts';

/** A record as a dissection writes it. */
export interface RecordLine {
  readonly direction: Direction;
  readonly line: string;
}

/** So many are kept until they are asked for: there may be thousands of PINGs a second. */
const KEPT = 24;
/** Longer lines are cut: a discard may name hundreds of ranges. */
const LINE_LENGTH = 240;

/** Pure; costs a record little until it is written, and next to nothing once as many are kept as will be. */
export class RecordLines {
  #kept: (() => RecordLine)[] = [];
  #skipped = 0;

  /** Keeps a record of the main channel. */
  addForward(record: StreamRecord, offset: number, lengthBytes: number): void {
    if (this.#isFull()) return;
    const values = streamRecordValues(record, lengthBytes);
    const { name } = record;
    this.#kept.push(() => {
      const place = { stream: 'main', streamOffset: 0, offset, lengthBytes } as const;
      return { direction: 'fwd', line: cut(dissectionLine({ kind: 'record', ...place, name, values })) };
    });
  }

  /** Keeps a record of the return path. */
  addReturn(record: ReturnPathRecord, offset: number, lengthBytes: number): void {
    if (this.#isFull()) return;
    const { name } = record;
    const values = returnPathValues(record);
    this.#kept.push(() => {
      const place = { stream: 'return path', streamOffset: 0, offset, lengthBytes } as const;
      return { direction: 'ret', line: cut(dissectionLine({ kind: 'record', ...place, name, values })) };
    });
  }

  /** The lines since the last call, and how many were left out; undefined if there were none. */
  take(): { readonly lines: readonly RecordLine[]; readonly skipped: number } | undefined {
    if (this.#kept.length === 0) return undefined;
    const taken = { lines: this.#kept.map((write) => write()), skipped: this.#skipped };
    this.#kept = [];
    this.#skipped = 0;
    return taken;
  }

  /** The first ones tell as much as the last, and what begins something is among them. */
  #isFull(): boolean {
    const isFull = this.#kept.length >= KEPT;
    if (isFull) this.#skipped += 1;
    return isFull;
  }
}

function cut(line: string): string {
  return line.length <= LINE_LENGTH ? line : `${line.slice(0, LINE_LENGTH - 1)}…`;
}
