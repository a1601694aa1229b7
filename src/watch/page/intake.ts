// Takes frames in, so much at a time that the page never stands still, however many there are.
import type { ControlAnswerFrame, WatchFrame } from '../model/frame.ts';
import { type Decode, MAX_FRAME_BYTES, readFrame } from '../model/read-frame.ts';
import type { Session } from './session.ts';

/** Work on frames in one go, in ms: half of a picture. */
const SLICE_MS = 8;
/** What waits at most: more than a watch keeps, so that only a feed that floods reaches it. */
const MOST_WAITING_BYTES = 192 * 2 ** 20;
const MOST_WAITING_FRAMES = 400_000;

/** What is no part of a run. */
export interface IntakeEvents {
  readonly onWatch: (frame: WatchFrame) => void;
  readonly onAnswer: (frame: ControlAnswerFrame) => void;
}

/** The browser build of msgpack-lite, which index.html loads. */
function browserDecode(): Decode {
  return (globalThis as unknown as { msgpack: { decode: Decode } }).msgpack.decode;
}

/** Frames that wait to be taken. */
export class Intake {
  readonly #session: Session;
  readonly #events: IntakeEvents;
  readonly #decode = browserDecode();
  readonly #channel = new MessageChannel();
  #waiting: Uint8Array[] = [];
  #next = 0;
  #bytes = 0;
  #isScheduled = false;

  constructor(session: Session, events: IntakeEvents) {
    this.#session = session;
    this.#events = events;
    this.#channel.port1.onmessage = () => this.#work();
  }

  /** Whether all that came was taken. */
  get isIdle(): boolean {
    return this.#next >= this.#waiting.length;
  }

  /** Takes a frame in; false if too much waits already. */
  add(bytes: Uint8Array): boolean {
    if (this.#bytes > MOST_WAITING_BYTES || this.#waiting.length - this.#next > MOST_WAITING_FRAMES)
      return false;
    if (bytes.length > MAX_FRAME_BYTES) {
      this.#session.take({ kind: 'refused', fault: `a frame of ${bytes.length} bytes` }, bytes);
      return true;
    }
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    this.#schedule();
    return true;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting = [];
    this.#next = 0;
    this.#bytes = 0;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // A message, not a timer, which a page in the background would have to wait a second for.
    this.#channel.port2.postMessage(undefined);
  }

  #work(): void {
    this.#isScheduled = false;
    const until = performance.now() + SLICE_MS;
    while (this.#next < this.#waiting.length && performance.now() < until) {
      const bytes = this.#waiting[this.#next]!;
      this.#next += 1;
      this.#bytes -= bytes.length;
      this.#takeOne(bytes);
    }
    if (this.isIdle) this.clear();
    else this.#later();
  }

  /** Pictures come first: after a slice the browser may draw. */
  #later(): void {
    if (document.hidden) this.#schedule();
    else setTimeout(() => this.#schedule(), 0);
  }

  #takeOne(bytes: Uint8Array): void {
    const frame = readFrame(bytes, this.#decode);
    if (frame.kind === 'watch') this.#events.onWatch(frame);
    else if (frame.kind === 'control-answer') this.#events.onAnswer(frame);
    else this.#session.take(frame, bytes);
  }
}
