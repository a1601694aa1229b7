// One browser that looks: it gets the log at its own pace, so that a slow one costs nobody anything.
import type { WebSocket } from 'ws';
import type { RunLog } from './model/run-log.ts';

/** What waits in its socket at most before it is given more. */
const BACKLOG_BYTES = 2 ** 20;
const BATCH_FRAMES = 64;

/** A viewer. */
export class Viewer {
  readonly #socket: WebSocket;
  readonly #log: RunLog;
  #serial = 0;
  #isWaiting = false;

  constructor(socket: WebSocket, log: RunLog) {
    this.#socket = socket;
    this.#log = log;
  }

  /** Sends what the log has and this viewer has not, as far as there is room. */
  pump(): void {
    while (!this.#isWaiting && this.#socket.readyState === this.#socket.OPEN) {
      const batch = this.#log.after(this.#serial, BATCH_FRAMES);
      const last = batch.at(-1);
      if (last === undefined) return;
      this.#serial = last.serial;
      this.#isWaiting = this.#socket.bufferedAmount + bytesOf(batch) > BACKLOG_BYTES;
      for (const { serial, bytes } of batch) {
        const isLast = serial === last.serial;
        this.#socket.send(bytes, { binary: true }, isLast ? () => this.#drained() : () => undefined);
      }
    }
  }

  #drained(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.pump();
  }

  /** Sends something that is no part of the run. */
  tell(bytes: Uint8Array): void {
    if (this.#socket.bufferedAmount < 2 * BACKLOG_BYTES)
      this.#socket.send(bytes, { binary: true }, () => undefined);
  }
}

function bytesOf(batch: readonly { readonly bytes: Uint8Array }[]): number {
  return batch.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
