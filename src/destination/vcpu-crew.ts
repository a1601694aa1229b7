// Starts the threads of the guest's vCPUs ahead of their state, and gathers what they tell.
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import type { GuestTrace } from '../machine/guest-programs.ts';
import type { SharedRamImage } from '../machine/ram-block.ts';
import { VcpuControl } from '../machine/vcpu-control.ts';
import { startThread } from '../machine/vcpu-threads.ts';
import type { FaultLogData } from '../telemetry/fault-log.ts';
import type { FaultingThreadData, FromVcpuThread, ToVcpuThread, VcpuThreadStart } from './vcpu-messages.ts';

const VCPU_ENTRY = new URL('./vcpu-thread.js', import.meta.url);

/** What the threads share with the incoming migration, and who hears of them. */
export interface VcpuCrewOptions extends Omit<FaultingThreadData, 'ring'> {
  /** Where each vCPU shows its faults to who watches; none if nobody may. */
  readonly rings?: readonly SharedArrayBuffer[];
  /** Bytes for the return path, from a vCPU that cannot write them itself. */
  readonly onReply: (bytes: Uint8Array) => void;
  /** A thread died. */
  readonly onError: (error: unknown) => void;
}

/**
 * One thread per vCPU. Starting one takes a tenth of a second of a hardware thread, so they are started before a source
 * connects, and given RAM when there is any.
 */
export class VcpuCrew {
  readonly control: VcpuControl;
  /** Resolves when all threads have started; rejects with GuestError `vcpu-thread-died`. */
  readonly started: Promise<void>;
  readonly #workers: readonly Worker[];
  readonly #ended: Promise<unknown>;
  readonly #faultLogs: FaultLogData[] = [];
  #hasRam = false;

  constructor(vcpuCount: number, { onReply, onError, board, port, rings = [] }: VcpuCrewOptions) {
    this.control = VcpuControl.allocate(vcpuCount);
    const threads = Array.from({ length: vcpuCount }, (_, index) => {
      const ring = rings[index];
      const workerData: VcpuThreadStart = { index, control: this.control.shared, board, port, ring };
      return startThread(VCPU_ENTRY, `vcpu/${index}`, workerData);
    });
    this.#workers = threads.map(({ worker }) => worker);
    for (const worker of this.#workers) {
      worker.on('message', (message: FromVcpuThread) => {
        if (message.kind === 'reply') onReply(message.bytes);
        else if (message.kind === 'faults') this.#faultLogs.push(message.log);
      });
    }
    this.#ended = Promise.all(threads.map(({ ended }) => ended));
    this.#ended.catch(onError);
    const online = Promise.all(this.#workers.map((worker) => once(worker, 'online')));
    this.started = Promise.race([online, this.#ended]).then(() => undefined);
    this.started.catch(() => undefined); // told by onError too
  }

  /** Gives them the guest's RAM and, if its programs replay one, its trace: once. They park, to be run. */
  take(ram: SharedRamImage, trace: GuestTrace | undefined): void {
    this.#hasRam = true;
    this.#tell({ ram, trace });
  }

  /** Ends all threads, wherever they are, and gives their faults. */
  async end(): Promise<FaultLogData[]> {
    this.control.exit();
    if (!this.#hasRam) this.#tell(undefined);
    await this.#ended.catch(() => undefined); // told by onError already
    return this.#faultLogs;
  }

  #tell(message: ToVcpuThread): void {
    for (const worker of this.#workers) worker.postMessage(message);
  }
}
