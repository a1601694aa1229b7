// Reads a recording: a directory, or the files of a capture that share the beginning of their name.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TransportError } from '../errors.ts';
import type { Direction } from '../protocol/dissection-entry.ts';
import { ByteQueue, fileBytes, type IsComplete } from './file-bytes.ts';
import {
  INDEX_FILE_NAME,
  parseIndexLine,
  RESULT_FILE_NAME,
  type RecordedPiece,
  streamFileName,
} from './recorded-piece.ts';

/** Where the files of a recording are: `find('index.jsonl')` is the path of it, plain or gzip, if it exists. */
export interface RecordingFiles {
  find(name: string): string | undefined;
}

/** Finds a recording by its directory or by the NAME in `NAME.c0.fwd.bin.gz`; undefined if there is none. */
export function findRecording(path: string): RecordingFiles | undefined {
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const find = (name: string): string | undefined => {
    const plain = isDirectory ? join(path, name) : `${path}.${name}`;
    return [plain, `${plain}.gz`].find((candidate) => existsSync(candidate));
  };
  return isDirectory || find(streamFileName(0, 'fwd')) !== undefined ? { find } : undefined;
}

/**
 * The files of the main channel and of the preempt channel, if there was one, for who reads them one by one. A path
 * that is not a recording's stands for itself. @throws TransportError `cannot-read-recording` without a main channel
 */
export function forwardStreams(path: string): {
  readonly main: string;
  readonly preempt: string | undefined;
} {
  const files = findRecording(path);
  if (files === undefined) return { main: path, preempt: undefined };
  const main = files.find(streamFileName(0, 'fwd'));
  if (main !== undefined) return { main, preempt: files.find(streamFileName(1, 'fwd')) };
  throw new TransportError(
    'cannot-read-recording',
    `cannot read the recording ${path}: it has no ${streamFileName(0, 'fwd')}`,
  );
}

/** The streams of a recording that are open. */
class OpenStreams {
  readonly #files: RecordingFiles;
  readonly #isComplete: IsComplete | undefined;
  readonly #queues = new Map<string, ByteQueue>();
  readonly #offsets = new Map<string, number>();

  constructor(files: RecordingFiles, isComplete: IsComplete | undefined) {
    this.#files = files;
    this.#isComplete = isComplete;
  }

  /** The stream, or undefined if the recording has none. */
  #queue(conn: number, dir: Direction): ByteQueue | undefined {
    const name = streamFileName(conn, dir);
    const open = this.#queues.get(name);
    if (open !== undefined) return open;
    const path = this.#files.find(name);
    if (path === undefined) return undefined;
    const queue = new ByteQueue(fileBytes(path, this.#isComplete));
    this.#queues.set(name, queue);
    return queue;
  }

  /** Checks that the index goes on where it stopped. @throws TransportError `bad-recording` */
  advance(conn: number, dir: Direction, offset: number, lengthBytes: number): void {
    const name = streamFileName(conn, dir);
    const expected = this.#offsets.get(name) ?? 0;
    if (offset !== expected) {
      const message = `the index of ${name}: expected offset ${expected}, found ${offset}`;
      throw new TransportError('bad-recording', message);
    }
    this.#offsets.set(name, offset + lengthBytes);
  }

  async *take(conn: number, dir: Direction, lengthBytes: number): AsyncGenerator<Uint8Array> {
    const queue = this.#queue(conn, dir);
    for (let left = lengthBytes; left > 0; ) {
      const bytes = await queue?.some(left);
      if (bytes === undefined) return; // the file is shorter than the index says: its stream is found to be cut
      left -= bytes.length;
      yield bytes;
    }
  }

  /** What the index does not tell of, without times. */
  async *rest(): AsyncGenerator<RecordedPiece> {
    for (let conn = 0; this.#isThere(conn); conn += 1) {
      for (const dir of ['fwd', 'ret'] as const) {
        const queue = this.#queue(conn, dir);
        if (queue === undefined) continue;
        for await (const bytes of queue.rest()) yield { tSeconds: undefined, conn, dir, bytes };
      }
    }
  }

  #isThere(conn: number): boolean {
    return (['fwd', 'ret'] as const).some((dir) => this.#files.find(streamFileName(conn, dir)) !== undefined);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }
}

async function* lines(bytes: AsyncGenerator<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let held = '';
  for await (const piece of bytes) {
    const parts = (held + decoder.decode(piece, { stream: true })).split('\n');
    held = parts.pop()!;
    yield* parts;
  }
  if (held !== '') yield held;
}

/**
 * The pieces of a recording in the order in which they passed. A growing one is followed until its result is written
 * or `isCancelled` tells to stop.
 *
 * @throws TransportError `cannot-read-recording`, `bad-recording`
 */
export async function* readRecording(
  files: RecordingFiles,
  follow?: { readonly isCancelled: () => boolean },
): AsyncGenerator<RecordedPiece> {
  const isComplete = follow && (() => files.find(RESULT_FILE_NAME) !== undefined || follow.isCancelled());
  const streams = new OpenStreams(files, isComplete);
  try {
    const indexPath = files.find(INDEX_FILE_NAME);
    let lineNumber = 0;
    if (indexPath !== undefined) {
      for await (const line of lines(fileBytes(indexPath, isComplete))) {
        lineNumber += 1;
        if (line === '') continue;
        const { tSeconds, conn, dir, offset, lengthBytes } = parseIndexLine(line, lineNumber);
        streams.advance(conn, dir, offset, lengthBytes);
        for await (const bytes of streams.take(conn, dir, lengthBytes)) yield { tSeconds, conn, dir, bytes };
      }
    }
    yield* streams.rest();
  } finally {
    await streams.close();
  }
}
