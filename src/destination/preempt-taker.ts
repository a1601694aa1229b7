// Starts the thread of the preempt channel, which owns the sockets of both channels, and hears of it.
import { MessageChannel, Worker } from 'node:worker_threads';
import { fromErrorRecord } from '../errors.ts';
import type { SharedRamImage } from '../machine/ram-block.ts';
import type { Profile } from '../protocol/profile.ts';
import { OwnedSockets } from '../transport/owned-sockets.ts';
import type { SharedFaultBoard } from './fault-board.ts';
import type { PreemptNews } from './preempt-intake.ts';
import {
  type FromPreemptThread,
  MARK,
  type PreemptRam,
  type PreemptThreadData,
  type ToPreemptThread,
} from './preempt-messages.ts';
import type { SharedTally } from './ram-tally.ts';

const PREEMPT_ENTRY = new URL('./preempt-thread.js', import.meta.url);

/** What the thread needs, and who hears of it. */
export interface PreemptTakerOptions {
  readonly profile: Profile;
  readonly board: SharedFaultBoard;
  readonly collapseNs: number;
  readonly isWatched: boolean;
  readonly onNews: (news: PreemptNews) => void;
  /** The channel brought what it must not, or the thread died. */
  readonly onError: (error: unknown) => void;
}

/**
 * The thread of the preempt channel. The main channel's sockets are its too, since a socket cannot be read with an event
 * loop in one thread and be closed in another; its bytes are read by the thread that decides.
 */
export class PreemptTaker {
  readonly sockets: OwnedSockets;
  readonly #worker: Worker;
  readonly #ram = new MessageChannel();
  readonly #marks = new Float64Array(new SharedArrayBuffer(8 * MARK.COUNT));
  readonly #stopped: Promise<void>;
  #tellsNews = false;

  constructor({ onNews, onError, ...options }: PreemptTakerOptions) {
    const marks = this.#marks.buffer as SharedArrayBuffer;
    const workerData: PreemptThreadData = { ...options, marks, ram: this.#ram.port2 };
    this.#worker = new Worker(PREEMPT_ENTRY, {
      workerData,
      name: 'preempt',
      transferList: [this.#ram.port2],
      execArgv: ['--enable-source-maps'],
    });
    this.sockets = new OwnedSockets(this.#worker);
    this.#stopped = new Promise((resolve) => {
      this.#worker.on('message', (message: FromPreemptThread) => {
        if (message.kind === 'news') onNews(message.news);
        else if (message.kind === 'failed') onError(fromErrorRecord(message.error));
        else if (message.kind === 'stopped') resolve();
      });
      this.#worker.once('error', onError);
      this.#worker.once('exit', () => resolve());
    });
  }

  /** Bytes that have come on the preempt channel. */
  get wireBytes(): number {
    return this.#marks[MARK.BYTES]!;
  }

  /** When the last of them came, in monotonic ns; 0 if none has. */
  get lastBytesNs(): number {
    return this.#marks[MARK.LAST_NS]!;
  }

  /** Lets it place. */
  place(ram: SharedRamImage, tally: SharedTally): void {
    const order: PreemptRam = { ram, tally };
    this.#ram.port1.postMessage(order);
  }

  /** Has it tell of every page from now on: the end is awaited. */
  tellNews(): void {
    if (this.#tellsNews) return;
    this.#tellsNews = true;
    this.#tell({ kind: 'tell-news' });
  }

  /** Lets it place nothing any more, and resolves when it does so. */
  async stop(): Promise<void> {
    this.#tell({ kind: 'stop' });
    await this.#stopped;
  }

  /** Ends the thread, and with it every socket that is still open. */
  async end(): Promise<void> {
    await this.#worker.terminate();
    this.#ram.port1.close();
  }

  #tell(message: ToPreemptThread): void {
    this.#worker.postMessage(message);
  }
}
