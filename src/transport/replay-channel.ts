// A channel that reads a recorded stream from a file, plain or gzip, and keeps what is written.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { TransportError } from '../errors.ts';
import type { Channel, ChannelReader } from './channel.ts';

/** Bytes handed over in one turn. */
const TURN_BYTES = 64 * 1024;
const GZIP_MAGIC = [0x1f, 0x8b] as const;

/** A replayed channel. */
export interface ReplayChannel extends Channel {
  /** All that was written so far. */
  replies(): Uint8Array;
}

function readRecording(path: string): Uint8Array {
  try {
    const bytes = readFileSync(path);
    const isPacked = bytes[0] === GZIP_MAGIC[0] && bytes[1] === GZIP_MAGIC[1];
    return isPacked ? gunzipSync(bytes) : bytes;
  } catch (error) {
    throw new TransportError(
      'cannot-read-recording',
      `cannot read the recording ${path}: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

/** Opens a recording. It is held back while `mayBegin` is false. @throws TransportError `cannot-read-recording` */
export function openReplay(path: string, mayBegin: () => boolean = () => true): ReplayChannel {
  const bytes = readRecording(path);
  const written: Uint8Array[] = [];
  let reader: ChannelReader | undefined;
  let at = 0;
  const turn = (): void => {
    if (reader === undefined) return;
    if (mayBegin()) {
      const end = Math.min(at + TURN_BYTES, bytes.length);
      if (end > at) reader.data(bytes, at, end);
      at = end;
    }
    if (at < bytes.length) setImmediate(turn);
    else reader.end();
  };
  return {
    peer: path,
    fileDescriptor: -1,
    read(to) {
      reader = to;
      setImmediate(turn);
    },
    write(piece) {
      written.push(piece.slice());
      return Promise.resolve();
    },
    writeAll(pieces) {
      for (const piece of pieces) written.push(piece.slice());
      return undefined;
    },
    end: () => Promise.resolve(),
    destroy() {
      reader = undefined;
    },
    replies: () => Buffer.concat(written),
  };
}
