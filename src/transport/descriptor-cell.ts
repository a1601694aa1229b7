// A file descriptor that another thread than its owner uses, and never after the owner has closed it.

const LOCK = 0;
const DESCRIPTOR = 1;
const WORDS = 2;
const CLOSED = -1;

/** One for each thread beside the owner, and for each direction: it is held during a system call that does not block. */
export class DescriptorCell {
  /** Goes from thread to thread. */
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  static allocate(descriptor: number): DescriptorCell {
    const cell = new DescriptorCell(new SharedArrayBuffer(4 * WORDS));
    Atomics.store(cell.#words, DESCRIPTOR, descriptor);
    return cell;
  }

  constructor(shared: SharedArrayBuffer) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** Uses the descriptor, which stays open meanwhile; undefined, and nothing is done, once it was closed. */
  use<T>(action: (descriptor: number) => T): T | undefined {
    return this.#locked(() => {
      const descriptor = Atomics.load(this.#words, DESCRIPTOR);
      return descriptor === CLOSED ? undefined : action(descriptor);
    });
  }

  /** By the owner, before it closes the descriptor: whoever came later would use whatever gets its number next. */
  close(): void {
    this.#locked(() => Atomics.store(this.#words, DESCRIPTOR, CLOSED));
  }

  #locked<T>(action: () => T): T {
    while (Atomics.compareExchange(this.#words, LOCK, 0, 1) !== 0) Atomics.wait(this.#words, LOCK, 1);
    try {
      return action();
    } finally {
      Atomics.store(this.#words, LOCK, 0);
      Atomics.notify(this.#words, LOCK, 1);
    }
  }
}
