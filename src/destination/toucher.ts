// Starts the thread that touches all RAM in postcopy, for a guest whose own vCPUs do not run here.
import type { Worker } from 'node:worker_threads';
import type { SharedRamImage } from '../machine/ram-block.ts';
import { type SharedVcpuControl, VcpuControl } from '../machine/vcpu-control.ts';
import { startThread } from '../machine/vcpu-threads.ts';
import type { FaultLogData } from '../telemetry/fault-log.ts';
import type { Touch } from './touch-order.ts';
import type { FaultingThreadData, FromVcpuThread } from './vcpu-messages.ts';

const TOUCH_ENTRY = new URL('./touch-thread.js', import.meta.url);

/** What its thread is started with. */
export interface TouchThreadData extends FaultingThreadData {
  readonly touch: Touch;
  /** Its line of the fault board. */
  readonly line: number;
  /** Of one vCPU, which it is not: its slot stays empty. */
  readonly control: SharedVcpuControl;
}

/** What its thread is told, once: all RAM, or nothing if it is to end before there is any. */
export type ToTouchThread = SharedRamImage | undefined;

/** What a toucher needs. */
export interface ToucherOptions extends Omit<TouchThreadData, 'control'> {
  /** Bytes for the return path, where its thread cannot write them itself. */
  readonly onReply: (bytes: Uint8Array) => void;
  /** Its thread died. */
  readonly onError: (error: unknown) => void;
}

/**
 * Touches every host page once, as a vCPU would, and waits for each that is missing. It is no vCPU: it reads and writes
 * nothing, and neither the guest's state nor its proof knows of it.
 */
export class Toucher {
  readonly #control = VcpuControl.allocate(1);
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #hasRam = false;
  #log: FaultLogData | undefined;

  /** Starts the thread; a source that sends in a hurry is not kept waiting for it if that was done before. */
  constructor({ onReply, onError, ...data }: ToucherOptions) {
    const workerData: TouchThreadData = { ...data, control: this.#control.shared };
    const { worker, ended } = startThread(TOUCH_ENTRY, 'touch', workerData);
    this.#worker = worker;
    this.#ended = ended;
    worker.on('message', (message: FromVcpuThread) => {
      if (message.kind === 'reply') onReply(message.bytes);
      else if (message.kind === 'faults') this.#log = message.log;
    });
    ended.catch(onError);
  }

  /** Waits until the thread can touch; false if `timeoutMs` have passed. @throws GuestError `vcpu-failed` */
  waitReady(timeoutMs: number): Promise<boolean> {
    return this.#control.waitAllParkedAsync(timeoutMs);
  }

  /** Takes the RAM. */
  take(ram: SharedRamImage): void {
    this.#hasRam = true;
    this.#tell(ram);
  }

  /** Begins to touch. Not before the guest runs: until then the source may still discard pages. */
  run(): void {
    this.#control.run();
  }

  /** Ends it, wherever it is, and gives its faults. */
  async end(): Promise<FaultLogData | undefined> {
    this.#control.exit();
    if (!this.#hasRam) this.#tell(undefined);
    await this.#ended.catch(() => undefined); // told by onError already
    return this.#log;
  }

  #tell(message: ToTouchThread): void {
    this.#worker.postMessage(message);
  }
}
