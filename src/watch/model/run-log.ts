// The frames of the current run as they came, bounded, from which late viewers and saved files get them.
import { END_NAMES, type EndFrame, type EndName } from './frame.ts';

/** Bytes that a log holds before it asks for a fresh snapshot, which then takes the place of what is older. */
export const LOG_BYTES = 128 * 2 ** 20;

/** One frame of the log. */
export interface LoggedFrame {
  /** Grows by one with every frame that was ever logged. */
  readonly serial: number;
  readonly end: EndName;
  readonly bytes: Uint8Array;
}

/** Whether a frame begins another run than the one that is known: an end that was here already names a new one. */
export class RunWatch {
  #runs: Partial<Record<EndName, string>> = {};

  /** Whether the frame is the first of a new run. */
  begins(frame: EndFrame): boolean {
    if (frame.kind !== 'hello') return false;
    const known = this.#runs[frame.end];
    if (known === frame.run) return false;
    this.#runs[frame.end] = frame.run;
    if (known === undefined) return false;
    for (const end of END_NAMES) if (end !== frame.end) delete this.#runs[end];
    return true;
  }

  /** Whether an end takes part in the run: it has said hello since it began. */
  has(end: EndName): boolean {
    return this.#runs[end] !== undefined;
  }
}

/** Frames of one run. */
export class RunLog {
  readonly #watch = new RunWatch();
  #frames: LoggedFrame[] = [];
  #bytes = 0;
  #nextSerial = 1;

  /** All frames, in the order in which they came. */
  get frames(): readonly LoggedFrame[] {
    return this.#frames;
  }

  /** Whether so much has come that a fresh snapshot should take its place. */
  get isFull(): boolean {
    return this.#bytes > LOG_BYTES;
  }

  /** Takes a frame, unless it belongs to a run that is over or, like an answer, to none; tells whether it was kept. */
  take(frame: EndFrame, bytes: Uint8Array): boolean {
    if (frame.kind === 'control-answer') return false;
    if (this.#watch.begins(frame)) {
      this.#frames = [];
      this.#bytes = 0;
    }
    if (!this.#watch.has(frame.end)) return false;
    // After a hello all comes again: what is older is only dear as long as there is room for it.
    if (frame.kind === 'hello' && this.isFull) this.#forget(frame.end);
    this.#frames.push({ serial: this.#nextSerial, end: frame.end, bytes });
    this.#nextSerial += 1;
    this.#bytes += bytes.length;
    return true;
  }

  #forget(end: EndName): void {
    this.#frames = this.#frames.filter((frame) => frame.end !== end);
    this.#bytes = this.#frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
  }

  /** Frames logged after the one of that serial; from the first if that run is over. */
  after(serial: number, most: number): readonly LoggedFrame[] {
    let low = 0;
    let high = this.#frames.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#frames[middle]!.serial <= serial) low = middle + 1;
      else high = middle;
    }
    return this.#frames.slice(low, low + most);
  }
}
