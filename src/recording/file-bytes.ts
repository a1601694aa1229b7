// Reads a file from its start, plain or gzip, as it stands or as it grows.
import { createReadStream, type FSWatcher, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { TransportError } from '../errors.ts';

const GZIP_MAGIC = [0x1f, 0x8b] as const;
const READ_BYTES = 256 * 1024;
/** A change may be missed between looking and watching, so one looks again after so many ms. */
const LOOK_AGAIN_MS = 200;

/** Tells when a growing file will not grow any more. */
export type IsComplete = () => boolean;

/** The error of a file that cannot be read. */
export function cannotRead(path: string, error: unknown): TransportError {
  const message = `cannot read the recording ${path}: ${(error as Error).message}`;
  return new TransportError('cannot-read-recording', message, { cause: error });
}

/**
 * Bytes of a file, or of stdin for `-`. With `isComplete` a plain file is read on as it grows until that is true.
 *
 * @throws TransportError `cannot-read-recording`
 */
export async function* fileBytes(path: string, isComplete?: IsComplete): AsyncGenerator<Uint8Array> {
  try {
    if (path === '-') yield* unpacked(process.stdin);
    else if (isComplete === undefined || (await isGzip(path))) yield* unpacked(createReadStream(path));
    else yield* growing(path, isComplete);
  } catch (error) {
    throw error instanceof TransportError ? error : cannotRead(path, error);
  }
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === GZIP_MAGIC[0] && buffer[1] === GZIP_MAGIC[1];
  } finally {
    await file.close();
  }
}

async function* unpacked(input: Readable): AsyncGenerator<Uint8Array> {
  const iterator = input[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let head = new Uint8Array(0);
  while (head.length < GZIP_MAGIC.length) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  const all = (async function* () {
    if (head.length > 0) yield head;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  })();
  if (head[0] !== GZIP_MAGIC[0] || head[1] !== GZIP_MAGIC[1]) {
    yield* all;
    return;
  }
  const gunzip = createGunzip();
  const feed = (async () => {
    for await (const piece of all) {
      if (!gunzip.write(piece)) await new Promise((resolve) => gunzip.once('drain', resolve));
    }
    gunzip.end();
  })();
  feed.catch((error: Error) => gunzip.destroy(error));
  yield* gunzip as AsyncIterable<Uint8Array>;
}

async function* growing(path: string, isComplete: IsComplete): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  const buffer = new Uint8Array(READ_BYTES);
  let changed: () => void = () => undefined;
  const watcher: FSWatcher = watch(path, () => changed());
  try {
    for (let position = 0; ; ) {
      // Asked before the read: what was written before completion is then surely read.
      const wasComplete = isComplete();
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, position);
      position += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      else if (wasComplete) return;
      else {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, LOOK_AGAIN_MS);
          changed = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    }
  } finally {
    watcher.close();
    await file.close();
  }
}

/** Takes exact numbers of bytes from bytes that come in pieces. */
export class ByteQueue {
  readonly #source: AsyncGenerator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(source: AsyncGenerator<Uint8Array>) {
    this.#source = source;
  }

  /** The next 1 to `mostBytes` bytes, as they come; undefined at the end. */
  async some(mostBytes: number): Promise<Uint8Array | undefined> {
    while (this.#at === this.#piece.length) {
      const { done, value } = await this.#source.next();
      if (done === true) return undefined;
      this.#piece = value;
      this.#at = 0;
    }
    const end = Math.min(this.#piece.length, this.#at + mostBytes);
    const some = this.#piece.subarray(this.#at, end);
    this.#at = end;
    return some;
  }

  /** Exactly `lengthBytes`, in an array of their own; fewer at the end. */
  async exactly(lengthBytes: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let missing = lengthBytes;
    while (missing > 0) {
      const piece = await this.some(missing);
      if (piece === undefined) break;
      pieces.push(piece.slice());
      missing -= piece.length;
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  /** Puts bytes back in front. */
  unread(bytes: Uint8Array): void {
    this.#piece = Buffer.concat([bytes, this.#piece.subarray(this.#at)]);
    this.#at = 0;
  }

  /** All that is left, as it comes. */
  async *rest(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = await this.some(READ_BYTES);
      if (piece === undefined) return;
      yield piece;
    }
  }

  /** Ends the source. */
  async close(): Promise<void> {
    await this.#source.return(undefined);
  }
}
