// The growing log of one vCPU's faults, flat enough to be handed from thread to thread without a copy.
import { GuestError } from '../errors.ts';
import type { FaultRecord } from './fault-record.ts';
import { FaultRing } from './fault-ring.ts';

/** A fault as its vCPU logs it: the block by index, the vCPU known from the log. Times are monotonic ns. */
export interface FaultEntry extends Omit<FaultRecord, 'block' | 'vcpu' | 'causesNs'> {
  /** Index of the RAM block in the table of names given to `toRecords`. */
  readonly blockIndex: number;
}

/** A log as plain data. Post it with `columns.buffer` in the transfer list. */
export interface FaultLogData {
  readonly vcpu: number;
  readonly count: number;
  readonly columns: Float64Array<ArrayBuffer>;
}

const COLUMN_COUNT = 9;
const INITIAL_ENTRY_COUNT = 256;

/** The ring of a log, on memory of its own or on that of another thread. */
export function faultRing(shared?: SharedArrayBuffer): FaultRing {
  return new FaultRing(COLUMN_COUNT, shared);
}

/** Growing log of the faults of one vCPU. 72 bytes a fault; it doubles when full, so that a fault rarely pays for it. */
export class FaultLog {
  readonly vcpu: number;
  #columns: Float64Array<ArrayBuffer>;
  #count = 0;
  readonly #ring: FaultRing | undefined;

  /** Starts an empty log, or goes on with one that another thread handed over. Who watches reads along in `ring`. */
  constructor(vcpu: number, handedOver?: FaultLogData, ring?: FaultRing) {
    this.vcpu = vcpu;
    this.#ring = ring;
    this.#columns = handedOver?.columns ?? new Float64Array(INITIAL_ENTRY_COUNT * COLUMN_COUNT);
    this.#count = handedOver?.count ?? 0;
  }

  /** Number of faults in the log. */
  get count(): number {
    return this.#count;
  }

  /** Logs one fault. Called by the vCPU's own thread after it runs again, so it delays no page. */
  append(entry: FaultEntry): void {
    let at = this.#count * COLUMN_COUNT;
    if (at + COLUMN_COUNT > this.#columns.length) {
      const grown = new Float64Array(Math.max(INITIAL_ENTRY_COUNT * COLUMN_COUNT, this.#columns.length * 2));
      grown.set(this.#columns.subarray(0, at));
      this.#columns = grown;
    }
    const columns = this.#columns;
    columns[at++] = entry.blockIndex;
    columns[at++] = entry.hostPage;
    columns[at++] = entry.pageBytes;
    columns[at++] = entry.faultNs;
    columns[at++] = entry.requestedNs;
    columns[at++] = entry.firstByteNs;
    columns[at++] = entry.lastBytesNs;
    columns[at++] = entry.placedNs;
    columns[at++] = entry.resumedNs;
    this.#ring?.append(columns, this.#count * COLUMN_COUNT);
    this.#count++;
  }

  /** Gives the content away, to be posted to another thread, and goes on empty. */
  handOver(): FaultLogData {
    const handed = { vcpu: this.vcpu, count: this.#count, columns: this.#columns };
    this.#columns = new Float64Array(0);
    this.#count = 0;
    return handed;
  }

  /**
   * The faults in the order in which they were logged.
   *
   * @param blockNames - name of each RAM block by its index
   * @throws GuestError `fault-block-unknown` for an index without a name; our own bug
   */
  toRecords(blockNames: readonly string[]): FaultRecord[] {
    const records: FaultRecord[] = [];
    const columns = this.#columns;
    for (let at = 0; at < this.#count * COLUMN_COUNT; at += COLUMN_COUNT) {
      const blockIndex = columns[at]!;
      const block = blockNames[blockIndex];
      if (block === undefined) {
        throw new GuestError(
          'fault-block-unknown',
          `expected the index of one of ${blockNames.length} RAM blocks; found ${blockIndex} in the fault log of vCPU ${this.vcpu}`,
        );
      }
      records.push({
        block,
        hostPage: columns[at + 1]!,
        pageBytes: columns[at + 2]!,
        vcpu: this.vcpu,
        faultNs: columns[at + 3]!,
        requestedNs: columns[at + 4]!,
        firstByteNs: columns[at + 5]!,
        lastBytesNs: columns[at + 6]!,
        placedNs: columns[at + 7]!,
        resumedNs: columns[at + 8]!,
      });
    }
    return records;
  }
}
