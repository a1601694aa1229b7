// Shared memory through which vCPU threads are run, stopped and looked at.

import { setTimeout as sleep } from 'node:timers/promises';
import { GuestError, MigrationError, StateError } from '../errors.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import { decodeVcpuState, encodeVcpuState, VCPU_STATE_BYTES, type VcpuState } from './vcpu-state.ts';
import { nextVcpuStatus, VCPU_STATUSES, type VcpuEvent, type VcpuStatus } from './vcpu-status.ts';

/** What all vCPUs are told to do. */
export const VCPU_COMMAND = { STOP: 0, RUN: 1, EXIT: 2 } as const;
/** One value of `VCPU_COMMAND`. */
export type VcpuCommand = (typeof VCPU_COMMAND)[keyof typeof VCPU_COMMAND];

/** A `VcpuControl` as it goes from thread to thread in a message. */
export interface SharedVcpuControl {
  readonly vcpuCount: number;
  readonly words: SharedArrayBuffer;
  readonly marks: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
  readonly failures: SharedArrayBuffer;
}

/** Thrown by a fault handler when the command is no longer RUN: the vCPU parks, and its access is not done. */
export class GuestStopped extends Error {
  constructor() {
    super('the vCPU was told to stop while it waited for a page');
    this.name = 'GuestStopped';
  }
}

const COMMAND_WORD = 0;
/** Counts how often a vCPU has parked, failed or exited; who waits for that waits on this word. */
const CHANGES_WORD = 1;
const FIRST_STATUS_WORD = 2;

const MARKS_PER_VCPU = 3;
const FIRST_ACCESS_MARK = 0;
const PARKED_AT_MARK = 1;
const COUNT_MARK = 2;

/** u16 length and UTF-8 text. */
const FAILURE_BYTES = 512;

/** How often a thread with an event loop looks at the statuses: only starts and stops of a guest wait for it. */
const LOOK_MS = 1;

/** The command word, and for each vCPU its status, its marks and, while it is parked, its state. */
export class VcpuControl {
  readonly shared: SharedVcpuControl;
  readonly vcpuCount: number;
  readonly #words: Int32Array;
  // Plain 64-bit stores, aligned, hence whole on every machine that Node runs on; the status word orders them.
  readonly #marks: Float64Array;

  /** For `vcpuCount` vCPUs, all starting, with the command STOP. */
  static allocate(vcpuCount: number): VcpuControl {
    return new VcpuControl({
      vcpuCount,
      words: new SharedArrayBuffer((FIRST_STATUS_WORD + vcpuCount) * 4),
      marks: new SharedArrayBuffer(vcpuCount * MARKS_PER_VCPU * 8),
      slots: new SharedArrayBuffer(vcpuCount * VCPU_STATE_BYTES),
      failures: new SharedArrayBuffer(vcpuCount * FAILURE_BYTES),
    });
  }

  constructor(shared: SharedVcpuControl) {
    this.shared = shared;
    this.vcpuCount = shared.vcpuCount;
    this.#words = new Int32Array(shared.words);
    this.#marks = new Float64Array(shared.marks);
  }

  /** What the vCPUs are told now. */
  command(): VcpuCommand {
    return Atomics.load(this.#words, COMMAND_WORD) as VcpuCommand;
  }

  /** Lets all vCPUs run from the states in their slots. */
  run(): void {
    this.#give(VCPU_COMMAND.RUN);
  }

  /** Tells all vCPUs to put their state into their slots and park. */
  stop(): void {
    this.#give(VCPU_COMMAND.STOP);
  }

  /** Tells all vCPUs to park and end. */
  exit(): void {
    this.#give(VCPU_COMMAND.EXIT);
  }

  /** Blocks this thread while the command is `command`, for at most `timeoutMs`; returns the command then. */
  waitForOther(command: VcpuCommand, timeoutMs = Number.POSITIVE_INFINITY): VcpuCommand {
    Atomics.wait(this.#words, COMMAND_WORD, command, timeoutMs);
    return this.command();
  }

  /** The status of vCPU i. */
  status(i: number): VcpuStatus {
    return VCPU_STATUSES[Atomics.load(this.#words, FIRST_STATUS_WORD + i)]!;
  }

  /** When vCPU i began its first access after the last RUN, in monotonic ns; 0 before. */
  firstAccessNs(i: number): number {
    return this.#marks[i * MARKS_PER_VCPU + FIRST_ACCESS_MARK]!;
  }

  /** When vCPU i parked last, in monotonic ns; 0 before. */
  parkedAtNs(i: number): number {
    return this.#marks[i * MARKS_PER_VCPU + PARKED_AT_MARK]!;
  }

  /** Accesses that vCPU i has done, up to a few dozen ago while it runs. */
  count(i: number): number {
    return this.#marks[i * MARKS_PER_VCPU + COUNT_MARK]!;
  }

  /** What made vCPU i fail. */
  failure(i: number): string | undefined {
    const area = Buffer.from(this.shared.failures, i * FAILURE_BYTES, FAILURE_BYTES);
    return this.status(i) === 'failed' ? area.toString('utf8', 2, 2 + area.readUInt16BE(0)) : undefined;
  }

  /** The state of a parked vCPU. Throws StateError `vcpu-not-parked`, GuestError `bad-vcpu-state`. */
  readState(i: number): VcpuState {
    this.#checkSlotFree(i, 'read');
    // A copy: the slot is shared memory.
    const state = decodeVcpuState(this.#slot(i).slice());
    if (state.index !== i) {
      throw new GuestError('bad-vcpu-state', `the slot of vCPU ${i} holds the state of vCPU ${state.index}`);
    }
    return state;
  }

  /** Sets the state from which a vCPU that is starting or parked will run. Throws StateError `vcpu-not-parked`. */
  writeState(i: number, state: VcpuState): void {
    this.#checkSlotFree(i, 'written');
    this.#saveState(i, state);
  }

  /** Tells whether all vCPUs are parked. Throws GuestError `vcpu-failed`, StateError `vcpu-exited`: they never will. */
  allParked(): boolean {
    let parked = 0;
    for (let i = 0; i < this.vcpuCount; i += 1) {
      const status = this.status(i);
      if (status === 'parked') parked += 1;
      if (status === 'failed') throw new GuestError('vcpu-failed', `vCPU ${i} failed: ${this.failure(i)}`);
      if (status === 'exited') throw new StateError('vcpu-exited', `vCPU ${i} has exited`, { state: status });
    }
    return parked === this.vcpuCount;
  }

  /** Blocks this thread until all vCPUs are parked (true) or `timeoutMs` have passed (false). Throws as `allParked`. */
  waitAllParked(timeoutMs: number): boolean {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      // Read before the statuses: a change in between makes the wait below return at once.
      const changes = Atomics.load(this.#words, CHANGES_WORD);
      if (this.allParked()) return true;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return false;
      Atomics.wait(this.#words, CHANGES_WORD, changes, leftMs);
    }
  }

  /**
   * As `waitAllParked`, without blocking, for a thread with an event loop. It looks again and again, because
   * `Atomics.waitAsync` of Node 20 can lose the notification and the time-out too, and then lasts for ever.
   */
  async waitAllParkedAsync(timeoutMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!this.allParked()) {
      if (performance.now() >= deadlineMs) return false;
      await sleep(LOOK_MS);
    }
    return true;
  }

  /** By the vCPU's thread: parks, with `state` in the slot; without one the slot stays as it is. */
  park(i: number, state?: VcpuState): void {
    // The state first: whoever sees `parked` may read it.
    if (state !== undefined) this.#saveState(i, state);
    this.#marks[i * MARKS_PER_VCPU + PARKED_AT_MARK] = monotonicNs();
    this.advance(i, 'park');
    this.#tellChange();
  }

  /** By the vCPU's thread: begins to run. */
  enterRun(i: number): void {
    this.#marks[i * MARKS_PER_VCPU + FIRST_ACCESS_MARK] = monotonicNs();
    this.advance(i, 'run');
  }

  /** By the vCPU's thread: shows how many accesses it has done. */
  showCount(i: number, count: number): void {
    this.#marks[i * MARKS_PER_VCPU + COUNT_MARK] = count;
  }

  /** By the vCPU's thread: ends. */
  leave(i: number): void {
    this.advance(i, 'exit');
    this.#tellChange();
  }

  /** By the vCPU's thread: fails, and leaves word why. */
  fail(i: number, error: unknown): void {
    const text = error instanceof MigrationError ? `${error.message} (${error.code})` : String(error);
    const area = Buffer.from(this.shared.failures, i * FAILURE_BYTES, FAILURE_BYTES);
    area.writeUInt16BE(area.write(text, 2), 0);
    this.advance(i, 'fail');
    this.#tellChange();
  }

  /** By the vCPU's thread: changes its status by the table. Throws StateError `bad-vcpu-event`. */
  advance(i: number, event: VcpuEvent): void {
    const next = nextVcpuStatus(this.status(i), event);
    Atomics.store(this.#words, FIRST_STATUS_WORD + i, VCPU_STATUSES.indexOf(next));
  }

  #give(command: VcpuCommand): void {
    Atomics.store(this.#words, COMMAND_WORD, command);
    Atomics.notify(this.#words, COMMAND_WORD);
  }

  #tellChange(): void {
    Atomics.add(this.#words, CHANGES_WORD, 1);
    Atomics.notify(this.#words, CHANGES_WORD);
  }

  #slot(i: number): Uint8Array {
    return new Uint8Array(this.shared.slots, i * VCPU_STATE_BYTES, VCPU_STATE_BYTES);
  }

  #saveState(i: number, state: VcpuState): void {
    this.#slot(i).set(encodeVcpuState(state));
    this.showCount(i, state.count);
  }

  #checkSlotFree(i: number, done: string): void {
    const status = this.status(i);
    if (status !== 'running' && status !== 'blocked') return;
    const message = `the state of vCPU ${i} cannot be ${done} while it is ${status}`;
    throw new StateError('vcpu-not-parked', message, { state: status });
  }
}
