// Writes a recording directory: both directions of each connection, and when each piece of them passed.
import { closeSync, mkdirSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { TransportError } from '../errors.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import type { Direction } from '../protocol/dissection-entry.ts';
import { formatIndexLine, INDEX_FILE_NAME, RESULT_FILE_NAME, streamFileName } from './recorded-piece.ts';

/**
 * One file that only grows. It is written synchronously: into the page cache that is five times cheaper than a turn
 * through Node's thread pool, and whoever is faster than the disk is held back either way.
 */
class GrowingFile {
  readonly #descriptor: number;
  lengthBytes = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'wx');
  }

  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at);
    this.lengthBytes += bytes.length;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** A recording that is being made. Nothing is kept in memory but the lines of the index of one turn. */
export class RecordingWriter {
  readonly #directory: string;
  readonly #files = new Map<string, GrowingFile>();
  readonly #index: GrowingFile;
  #lines = '';
  #flush: NodeJS.Immediate | undefined;
  #failed: { readonly error: TransportError } | undefined;
  #beganNs: number | undefined;

  /** Makes the directory. @throws TransportError `cannot-write-recording`, also if it holds anything */
  constructor(directory: string) {
    this.#directory = directory;
    this.#index = this.#attempt(() => {
      mkdirSync(directory, { recursive: true });
      if (readdirSync(directory).length > 0) throw new Error('expected a new or empty directory');
      return new GrowingFile(join(directory, INDEX_FILE_NAME));
    });
  }

  /** Bytes recorded of each direction of each connection, by `c0.fwd`. */
  get wireBytes(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#files].map(([name, file]) => [name, file.lengthBytes]));
  }

  /** Makes the files of a connection, so that a direction in which nothing passes has one too. */
  open(conn: number): void {
    for (const dir of ['fwd', 'ret'] as const) {
      const path = join(this.#directory, streamFileName(conn, dir));
      this.#files.set(
        `c${conn}.${dir}`,
        this.#attempt(() => new GrowingFile(path)),
      );
    }
  }

  /** Appends bytes. @throws TransportError `cannot-write-recording` */
  append(conn: number, dir: Direction, bytes: Uint8Array): void {
    const nowNs = monotonicNs();
    this.#beganNs ??= nowNs;
    const tSeconds = (nowNs - this.#beganNs) / 1e9;
    const file = this.#files.get(`c${conn}.${dir}`)!;
    const offset = file.lengthBytes;
    this.#attempt(() => file.append(bytes));
    // A line is written after its bytes, and those of one turn of the event loop together.
    if (this.#lines === '') this.#flush = setImmediate(() => this.#writeLines());
    this.#lines += formatIndexLine({ tSeconds, conn, dir, offset, lengthBytes: bytes.length });
  }

  /** Completes the recording with its result, as JSON. @throws TransportError `cannot-write-recording` */
  finish(result: object): void {
    try {
      this.#writeLines();
      if (this.#failed !== undefined) throw this.#failed.error;
      const path = join(this.#directory, RESULT_FILE_NAME);
      const text = JSON.stringify({ ...result, wire_bytes: this.wireBytes }, undefined, 2);
      this.#attempt(() => writeFileSync(path, `${text}\n`));
    } finally {
      for (const file of [this.#index, ...this.#files.values()]) file.close();
    }
  }

  #writeLines(): void {
    clearImmediate(this.#flush);
    const lines = this.#lines;
    this.#lines = '';
    if (lines === '') return;
    try {
      this.#index.append(Buffer.from(lines));
    } catch (error) {
      this.#failed ??= { error: this.#failure(error) }; // thrown by finish: nobody called us
    }
  }

  #attempt<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): TransportError {
    const message = `cannot write the recording ${this.#directory}: ${(error as Error).message}`;
    return new TransportError('cannot-write-recording', message, { cause: error });
  }
}
