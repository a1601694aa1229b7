// Finds out what `postcopy dissect` was given, and reads it as pieces.
import { OptionError } from '../errors.ts';
import type { Direction } from '../protocol/dissection-entry.ts';
import { isCapture, readCapture } from '../recording/capture-reader.ts';
import { ByteQueue, fileBytes } from '../recording/file-bytes.ts';
import type { RecordedPiece } from '../recording/recorded-piece.ts';
import { findRecording, readRecording } from '../recording/recording-reader.ts';

/** What to read. */
export interface DissectInput {
  /** Stream, capture, recording directory or NAME, or `-`; undefined if only a return path is given. */
  readonly path: string | undefined;
  readonly returnPath: string | undefined;
  readonly preemptPath: string | undefined;
  /** Port of the destination in a capture. */
  readonly port: number | undefined;
  /** Reads on as the input grows, until this tells to stop. */
  readonly follow: { readonly isCancelled: () => boolean } | undefined;
}

async function* streamPieces(
  bytes: AsyncGenerator<Uint8Array>,
  conn: number,
  dir: Direction,
): AsyncGenerator<RecordedPiece> {
  for await (const piece of bytes) yield { tSeconds: undefined, conn, dir, bytes: piece };
}

/** The pieces of an input, whatever it is. @throws OptionError, TransportError */
export async function* inputPieces(input: DissectInput): AsyncGenerator<RecordedPiece> {
  const { path, returnPath, preemptPath, port, follow } = input;
  const hasCompanions = returnPath !== undefined || preemptPath !== undefined;
  if (path !== undefined) {
    const recording = path === '-' ? undefined : findRecording(path);
    if (recording !== undefined) {
      refuse(hasCompanions, '--return-path and --preempt need a file: a recording has its own');
      refuse(port !== undefined, '--port needs a packet capture');
      yield* readRecording(recording, follow);
      return;
    }
    refuse(hasCompanions && follow !== undefined, '--follow needs one file, a capture or a recording');
    const queue = new ByteQueue(fileBytes(path, follow?.isCancelled));
    const magic = await queue.exactly(4);
    queue.unread(magic);
    if (isCapture(magic)) {
      refuse(hasCompanions, '--return-path and --preempt need a file: a capture has its own');
      yield* readCapture(path, port, queue.rest());
      return;
    }
    refuse(port !== undefined, '--port needs a packet capture');
    yield* streamPieces(queue.rest(), 0, 'fwd');
  }
  // Without times nobody knows what came when: the main channel tells what the others refer to, so it goes first.
  if (preemptPath !== undefined) yield* streamPieces(fileBytes(preemptPath), 1, 'fwd');
  if (returnPath !== undefined) yield* streamPieces(fileBytes(returnPath), 0, 'ret');
}

function refuse(isWrong: boolean, message: string): void {
  if (isWrong) throw new OptionError('option-without-effect', message);
}
