// Lets every thread of the destination write whole messages to the return path.
import { writeSync } from 'node:fs';
import { TransportError } from '../errors.ts';
import { encodeReturnPath } from '../protocol/return-path-messages.ts';

const LOCK = 0;
const DESCRIPTOR = 1;
const LAST_BLOCK = 2;
const HAS_ENDED = 3;
const WORDS = 4;

const NO_DESCRIPTOR = -1;
/** A full socket buffer is tried again after so long; requests are tiny, so it hardly ever is. */
const RETRY_MS = 1;
const RETRY_LIMIT = 10_000;

/**
 * The return path for a thread. With a file descriptor the thread writes itself, which saves a faulting vCPU two hops
 * over event loops; without one (WebSocket) it hands the bytes to the thread that owns the channel.
 */
export class ReturnPathPort {
  /** Goes from thread to thread. */
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #handOver: (bytes: Uint8Array) => void;

  static allocate(handOver: (bytes: Uint8Array) => void): ReturnPathPort {
    const port = new ReturnPathPort(new SharedArrayBuffer(4 * WORDS), handOver);
    Atomics.store(port.#words, DESCRIPTOR, NO_DESCRIPTOR);
    return port;
  }

  constructor(shared: SharedArrayBuffer, handOver: (bytes: Uint8Array) => void) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
    this.#handOver = handOver;
  }

  /** By the thread that owns the channel: tells where to write. */
  open(fileDescriptor: number): void {
    Atomics.store(this.#words, DESCRIPTOR, fileDescriptor);
  }

  /**
   * By the thread that owns the channel, before the descriptor is closed: whoever came later would write to whatever
   * gets its number next.
   */
  close(): void {
    this.#locked(() => Atomics.store(this.#words, DESCRIPTOR, NO_DESCRIPTOR));
  }

  /** Writes a whole message. @throws TransportError `return-path-broken` */
  send(bytes: Uint8Array): void {
    this.#locked(() => this.#write(bytes));
  }

  /**
   * Writes the last message. A thread that was about to ask for a page, which came meanwhile, keeps its request.
   * @throws TransportError `return-path-broken`
   */
  sendLast(bytes: Uint8Array): void {
    this.#locked(() => {
      this.#write(bytes);
      Atomics.store(this.#words, HAS_ENDED, 1);
    });
  }

  /**
   * Asks for one host page; names the block only if it is another than in the request before (rule D91). False if all
   * pages have come, and nothing may be written any more. @throws TransportError `return-path-broken`
   */
  request(blockIndex: number, block: string, start: number, length: number): boolean {
    return this.#locked(() => {
      if (Atomics.load(this.#words, HAS_ENDED) === 1) return false;
      // Handed-over messages of two threads may change places, so each names its block.
      const isNamed =
        Atomics.load(this.#words, DESCRIPTOR) === NO_DESCRIPTOR ||
        Atomics.exchange(this.#words, LAST_BLOCK, blockIndex + 1) !== blockIndex + 1;
      this.#write(
        isNamed
          ? encodeReturnPath('REQ_PAGES_ID', { start, length, block })
          : encodeReturnPath('REQ_PAGES', { start, length }),
      );
      return true;
    });
  }

  #locked<T>(action: () => T): T {
    while (Atomics.compareExchange(this.#words, LOCK, 0, 1) !== 0)
      Atomics.wait(this.#words, LOCK, 1, RETRY_MS);
    try {
      return action();
    } finally {
      Atomics.store(this.#words, LOCK, 0);
      Atomics.notify(this.#words, LOCK, 1);
    }
  }

  #write(bytes: Uint8Array): void {
    const fileDescriptor = Atomics.load(this.#words, DESCRIPTOR);
    if (fileDescriptor === NO_DESCRIPTOR) {
      this.#handOver(bytes);
      return;
    }
    let tries = 0;
    for (let at = 0; at < bytes.length; ) {
      try {
        at += writeSync(fileDescriptor, bytes, at);
      } catch (error) {
        tries += 1;
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || tries > RETRY_LIMIT) {
          throw new TransportError(
            'return-path-broken',
            `cannot write to the return path: ${(error as Error).message}`,
            {
              cause: error,
              stream: 'return path',
            },
          );
        }
        Atomics.wait(this.#words, LOCK, 1, RETRY_MS); // we hold the lock, so this is a pause
      }
    }
  }
}
