// Where each vCPU shows the page it waits for, and the placer notes when that page came.

const WORDS_PER_VCPU = 2;
const TIMES_PER_VCPU = 4;
const FIRST_BYTE = 0;
const LAST_BYTES = 1;
const PLACED = 2;
const BEGAN = 3;
const NOBODY = 0;

/** A board as it goes from thread to thread. */
export interface SharedFaultBoard {
  readonly vcpuCount: number;
  readonly words: SharedArrayBuffer;
  readonly times: SharedArrayBuffer;
}

/** Times of the page that a vCPU waited for, in monotonic ns; 0 if it came before anybody noted it. */
export interface FaultTimes {
  readonly firstByteNs: number;
  readonly lastBytesNs: number;
  readonly placedNs: number;
}

/** One line per vCPU, written by it before it waits and by the placer before it wakes it. */
export class FaultBoard {
  readonly shared: SharedFaultBoard;
  readonly #words: Int32Array;
  readonly #times: Float64Array;

  static allocate(vcpuCount: number): FaultBoard {
    return new FaultBoard({
      vcpuCount,
      words: new SharedArrayBuffer(4 * WORDS_PER_VCPU * vcpuCount),
      times: new SharedArrayBuffer(8 * TIMES_PER_VCPU * vcpuCount),
    });
  }

  constructor(shared: SharedFaultBoard) {
    this.shared = shared;
    this.#words = new Int32Array(shared.words);
    this.#times = new Float64Array(shared.times);
  }

  /** By the vCPU, before it claims the page: shows which one, and since when it waits. */
  begin(vcpu: number, blockIndex: number, hostPage: number, faultNs = 0): void {
    this.#times.fill(0, vcpu * TIMES_PER_VCPU, vcpu * TIMES_PER_VCPU + BEGAN);
    this.#times[vcpu * TIMES_PER_VCPU + BEGAN] = faultNs;
    Atomics.store(this.#words, vcpu * WORDS_PER_VCPU + 1, hostPage | 0);
    Atomics.store(this.#words, vcpu * WORDS_PER_VCPU, blockIndex + 1);
  }

  /** By the vCPU, when it goes on: takes the times. */
  end(vcpu: number): FaultTimes {
    Atomics.store(this.#words, vcpu * WORDS_PER_VCPU, NOBODY);
    const at = vcpu * TIMES_PER_VCPU;
    const [firstByteNs, lastBytesNs] = [this.#times[at + FIRST_BYTE]!, this.#times[at + LAST_BYTES]!];
    return { firstByteNs, lastBytesNs, placedNs: this.#times[at + PLACED]! };
  }

  /** By anyone: the page that a vCPU waits for, and since when; undefined while it runs. */
  waiting(vcpu: number): { blockIndex: number; hostPage: number; sinceNs: number } | undefined {
    const block = Atomics.load(this.#words, vcpu * WORDS_PER_VCPU);
    if (block === NOBODY) return undefined;
    const hostPage = Atomics.load(this.#words, vcpu * WORDS_PER_VCPU + 1) >>> 0;
    return { blockIndex: block - 1, hostPage, sinceNs: this.#times[vcpu * TIMES_PER_VCPU + BEGAN]! };
  }

  /** By the placer, before it publishes a requested page: notes the times for every vCPU that waits for it. */
  placed(blockIndex: number, hostPage: number, times: FaultTimes): void {
    for (let vcpu = 0; vcpu < this.shared.vcpuCount; vcpu += 1) {
      const isWaiting =
        Atomics.load(this.#words, vcpu * WORDS_PER_VCPU) === blockIndex + 1 &&
        Atomics.load(this.#words, vcpu * WORDS_PER_VCPU + 1) === (hostPage | 0);
      if (!isWaiting) continue;
      this.#times[vcpu * TIMES_PER_VCPU + FIRST_BYTE] = times.firstByteNs;
      this.#times[vcpu * TIMES_PER_VCPU + LAST_BYTES] = times.lastBytesNs;
      this.#times[vcpu * TIMES_PER_VCPU + PLACED] = times.placedNs;
    }
  }
}
