// Starts the thread that answers requests, which owns the sockets of both channels.
import { MessageChannel, Worker } from 'node:worker_threads';
import { fromErrorRecord } from '../errors.ts';
import type { Profile } from '../protocol/profile.ts';
import { OwnedSockets } from '../transport/owned-sockets.ts';
import type { AnswerableRam, AnswerThreadData, FromAnswerThread, ToAnswerThread } from './answer-messages.ts';
import { ANSWERED } from './request-answers.ts';

const ANSWER_ENTRY = new URL('./answer-thread.js', import.meta.url);

/** What the thread needs. */
export interface AnsweringOptions {
  readonly profile: Profile;
  readonly negotiates: boolean;
  readonly rehearses: boolean;
  /** The thread died, or could not write. */
  readonly onError: (error: unknown) => void;
}

/** The thread that answers requests, as the thread that decides sees it. */
export class Answering {
  readonly sockets: OwnedSockets;
  readonly #worker: Worker;
  readonly #ram = new MessageChannel();
  readonly #counts = new Float64Array(new SharedArrayBuffer(8 * ANSWERED.COUNT));
  readonly #stopped: Promise<void>;

  constructor({ onError, ...options }: AnsweringOptions) {
    const counts = this.#counts.buffer as SharedArrayBuffer;
    const workerData: AnswerThreadData = { ...options, counts, ram: this.#ram.port2 };
    this.#worker = new Worker(ANSWER_ENTRY, {
      workerData,
      name: 'answers',
      transferList: [this.#ram.port2],
      execArgv: ['--enable-source-maps'],
    });
    this.sockets = new OwnedSockets(this.#worker);
    this.#stopped = new Promise((resolve) => {
      this.#worker.on('message', (message: FromAnswerThread) => {
        if (message.kind === 'stopped') resolve();
        else if (message.kind === 'failed') onError(fromErrorRecord(message.error));
      });
      this.#worker.once('error', onError);
      this.#worker.once('exit', () => resolve());
    });
  }

  /** Target pages that were sent. */
  get pages(): number {
    return this.#counts[ANSWERED.PAGES]!;
  }

  /** Those of them that were zero. */
  get zeroPages(): number {
    return this.#counts[ANSWERED.ZERO_PAGES]!;
  }

  /** Bytes that were sent. */
  get bytes(): number {
    return this.#counts[ANSWERED.BYTES]!;
  }

  /** Lets it answer. */
  begin(ram: AnswerableRam): void {
    this.#ram.port1.postMessage(ram);
  }

  /** Lets it answer nothing any more; resolves when all that it claimed was written. */
  async stop(): Promise<void> {
    const message: ToAnswerThread = { kind: 'stop' };
    this.#worker.postMessage(message);
    await this.#stopped;
  }

  /** Ends the thread, and with it every socket that is still open. */
  async end(): Promise<void> {
    await this.#worker.terminate();
    this.#ram.port1.close();
  }
}
