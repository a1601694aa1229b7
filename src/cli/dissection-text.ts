// Writes the entries of a dissection: as lines for people, or as JSON lines.
import type { Writable } from 'node:stream';
import { channelOffset, type TimedEntry, type TimedSink } from '../analysis/timed-entry.ts';
import { dissectionLine } from '../protocol/dissection-lines.ts';
import { printable } from '../protocol/printable.ts';

const TIME_WIDTH = 11;

/** `c0 >` to the destination, `c0 <` back; what is in a package stands two spaces to the right. */
export function entryText({ tSeconds, conn, dir, entry }: TimedEntry): string {
  const time = tSeconds === undefined ? '' : `${tSeconds.toFixed(6).padStart(TIME_WIDTH)} `;
  const inPackage = entry.streamOffset > 0 ? '  ' : '';
  const arrow = dir === 'fwd' ? '>' : '<';
  return printable(`${time}c${conn} ${arrow} ${inPackage}${dissectionLine(entry)}`);
}

/** The same as one JSON object: `off` counts in `stream`, `at` in the connection's direction. */
export function entryJson(timed: TimedEntry): string {
  const { tSeconds, conn, dir, entry } = timed;
  const place = { ...(tSeconds === undefined ? {} : { t: tSeconds }), conn, dir, stream: entry.stream };
  const at = channelOffset(entry);
  if (entry.kind === 'error') return JSON.stringify({ ...place, at, error: entry.error });
  const { offset: off, lengthBytes: len, name, values: fields } = entry;
  return JSON.stringify({ ...place, off, at, len, name, fields }, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
}

/** Lines that are written many at a time. */
export class LineOutput {
  readonly #stream: Writable;
  #held: string[] = [];
  #isClosed = false;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      this.#isClosed = true; // `| head` has seen enough
    });
  }

  /** Whether nobody reads any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Keeps a line for the next flush. */
  write(line: string): void {
    this.#held.push(line);
  }

  /** Writes what is held; the promise, if there is one, is resolved when more may come. */
  flush(): Promise<void> | undefined {
    if (this.#held.length === 0 || this.#isClosed) return undefined;
    const text = `${this.#held.join('\n')}\n`;
    this.#held = [];
    if (this.#stream.write(text)) return undefined;
    return new Promise((resolve) => {
      const done = (): void => {
        this.#stream.off('drain', done).off('error', done);
        resolve();
      };
      this.#stream.on('drain', done).on('error', done);
    });
  }
}

/** A sink that writes every entry. */
export function entryWriter(output: LineOutput, isJson: boolean): TimedSink {
  const show = isJson ? entryJson : entryText;
  return { entry: (timed) => output.write(show(timed)), pageEnd: () => undefined };
}
