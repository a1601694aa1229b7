// A run as one file: a mark, then the frames as they came over the wire, each behind its length.
import { MAX_FRAME_BYTES } from './read-frame.ts';

/** How such a file's name ends. */
export const SAVED_RUN_EXTENSION = '.postcopy-run';
/** First bytes of the file. */
const MARK = 'PCRUN001';
const LENGTH_BYTES = 4;
/** A file that is larger is not read. */
export const MAX_SAVED_BYTES = 2 ** 30;

/** The first bytes of a saved run. */
export function savedRunHead(): Uint8Array {
  return Uint8Array.from(MARK, (letter) => letter.charCodeAt(0));
}

/** The length that stands before a frame in a saved run. */
export function frameLength(frame: Uint8Array): Uint8Array {
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setUint32(0, frame.length);
  return length;
}

/** What is in a saved run. */
export interface SavedRun {
  readonly frames: Uint8Array[];
  /** What is wrong with the end of the file; a run that was cut off is read up to there. */
  readonly fault: string | undefined;
}

/** Reads a saved run; undefined if the bytes are none. */
export function readSavedRun(file: Uint8Array): SavedRun | undefined {
  const head = savedRunHead();
  if (file.length > MAX_SAVED_BYTES || head.some((byte, index) => file[index] !== byte)) return undefined;
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const frames: Uint8Array[] = [];
  let at = head.length;
  while (at < file.length) {
    if (at + LENGTH_BYTES > file.length) return { frames, fault: `it is cut off at byte ${at}` };
    const length = view.getUint32(at);
    if (length > MAX_FRAME_BYTES) return { frames, fault: `a frame of ${length} bytes at byte ${at}` };
    at += LENGTH_BYTES;
    if (at + length > file.length) return { frames, fault: `it is cut off at byte ${file.length}` };
    frames.push(file.subarray(at, at + length));
    at += length;
  }
  return { frames, fault: undefined };
}
