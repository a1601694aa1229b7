// The guest at the source: builds it or takes a recorded one, lets it run, and looks after it if it stays.
import { setTimeout as sleep } from 'node:timers/promises';
import { GuestError } from '../errors.ts';
import { fillFromFile, fillPattern } from '../machine/fill.ts';
import type { GuestDescription } from '../machine/guest-description.ts';
import type { GuestTrace } from '../machine/guest-programs.ts';
import { initialVcpuStates } from '../machine/initial-vcpu-states.ts';
import { type GuestProof, proveGuest } from '../machine/prove-guest.ts';
import { type RamBlockSpec, RamImage } from '../machine/ram-block.ts';
import { VcpuControl } from '../machine/vcpu-control.ts';
import type { GuestProgramName, VcpuState } from '../machine/vcpu-state.ts';
import { startVcpuThreads, type VcpuThreads } from '../machine/vcpu-threads.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import type { GuestPages } from './negotiation.ts';

/** A guest to build. */
export interface BuiltGuest {
  readonly kind: 'built';
  readonly blocks: readonly RamBlockSpec[];
  /** 0 only where the device state comes from a recording: then nothing runs here. */
  readonly vcpuCount: number;
  readonly program: GuestProgramName;
  readonly trace: GuestTrace | undefined;
  readonly seed: number;
  readonly writePercent: number;
  /** Accesses per second of each vCPU; 0 is flat out. */
  readonly ratePerSecond: number;
  /** Fills RAM from this file; else with a pattern, of which `zeroPercent` of the pages are zero. */
  readonly ramImagePath: string | undefined;
  readonly zeroPercent: number;
}

/** A guest as a recording left it, stopped: its devices are those of another program, so it does not run here. */
export interface RecordedGuest {
  readonly kind: 'recorded';
  /** All present. */
  readonly ram: RamImage;
}

/** A guest that stayed, and the proof that nothing happened to it. */
export interface StayedGuest extends GuestProof {
  readonly vcpus: readonly VcpuState[];
  readonly accessesSince: number;
}

/** What the guest tells meanwhile. */
export interface GuestEvents {
  onPhase?(phase: string): void;
  onWarning?(message: string): void;
}

const PARK_TIMEOUT_MS = 5000;
/** Starting a thread takes many milliseconds, and seconds where a dozen start on a loaded machine. */
const START_TIMEOUT_MS = 30_000;
/** A guest that stays runs on for so long, so that its proof covers accesses after the failed migration. */
const STAY_MS = 100;

/** The guest at the source. */
export class GuestAtSource {
  readonly image: RamImage;
  readonly control: VcpuControl;
  readonly #guest: BuiltGuest | RecordedGuest;
  readonly #pages: GuestPages;
  readonly #events: GuestEvents;
  #description: GuestDescription | undefined;
  #threads: VcpuThreads | undefined;

  /** @throws MemoryMapError for RAM that cannot be */
  constructor(guest: BuiltGuest | RecordedGuest, pages: GuestPages, events: GuestEvents) {
    this.#guest = guest;
    this.#pages = pages;
    this.#events = events;
    this.image = guest.kind === 'built' ? RamImage.allocate(guest.blocks, 'present') : guest.ram;
    this.control = VcpuControl.allocate(guest.kind === 'built' ? guest.vcpuCount : 0);
  }

  /** Whether the guest has vCPUs of ours. */
  get runsHere(): boolean {
    return this.control.vcpuCount > 0;
  }

  /** What a destination needs to go on with a guest of ours, and to prove it; undefined for one that was recorded. */
  get description(): GuestDescription | undefined {
    return this.#description;
  }

  /** The vCPUs and their counts: those at the end if the guest stayed. */
  vcpus(stayed: StayedGuest | undefined): { index: number; program: string; count: number }[] {
    const program = this.#guest.kind === 'built' ? this.#guest.program : '';
    return Array.from({ length: this.control.vcpuCount }, (_, index) => ({
      index,
      program,
      count: stayed?.vcpus[index]?.count ?? this.control.count(index),
    }));
  }

  /** SHA-256 of each block, by its name. Only of a guest that stands still. */
  hashRam(): Record<string, string> {
    return Object.fromEntries(this.image.blocks.map((block) => [block.name, block.hashSha256()]));
  }

  /** Fills RAM and lets the guest run. @throws OptionError, GuestError `vcpu-does-not-start` */
  async start(): Promise<void> {
    if (this.#guest.kind === 'recorded') return;
    this.#events.onPhase?.('fill');
    this.#description = this.#fill(this.#guest);
    if (this.runsHere) this.#threads = await this.#startVcpus(this.#guest);
  }

  /** The migration failed and the guest stays: it goes on, and then proves that nothing happened to it. */
  async keep(verify: boolean): Promise<StayedGuest> {
    const before = this.#counts();
    this.control.run();
    // On a busy machine its threads may not have had a turn by then, and a guest that did nothing proves little.
    for (let waitedMs = 0; waitedMs === 0 || (this.#counts() === before && waitedMs < PARK_TIMEOUT_MS); ) {
      await sleep(STAY_MS);
      waitedMs += STAY_MS;
    }
    this.control.stop();
    if (!(await this.control.waitAllParkedAsync(PARK_TIMEOUT_MS))) {
      throw new GuestError('vcpu-does-not-stop', `a vCPU did not stop within ${PARK_TIMEOUT_MS} ms`);
    }
    const vcpus = Array.from({ length: this.control.vcpuCount }, (_, index) => this.control.readState(index));
    const wentOn = this.#counts() - before;
    return { vcpus, accessesSince: wentOn, ...(await this.#prove(vcpus, verify)) };
  }

  /** Ends the threads. */
  async end(): Promise<void> {
    this.control.exit();
    await this.#threads?.ended;
  }

  #fill(guest: BuiltGuest): GuestDescription {
    const fill =
      guest.ramImagePath === undefined
        ? fillPattern(this.image, guest.seed, guest.zeroPercent)
        : fillFromFile(this.image, guest.ramImagePath);
    const { mmu, guestPageBytes } = this.#pages;
    return {
      fill,
      blocks: guest.blocks,
      mmu,
      guestPageBytes,
      ...(guest.trace === undefined
        ? {}
        : { trace: { pageCount: guest.trace.pageCount, accesses: guest.trace.accesses } }),
    };
  }

  async #startVcpus(guest: BuiltGuest): Promise<VcpuThreads> {
    const states = initialVcpuStates({
      vcpus: guest.vcpuCount,
      program: guest.program,
      seed: guest.seed,
      writePercent: guest.writePercent,
      ratePerSecond: guest.ratePerSecond,
      totalPages: this.image.totalBytes / TARGET_PAGE_BYTES,
      ...(guest.trace === undefined ? {} : { trace: guest.trace }),
    });
    const threads = startVcpuThreads({
      ram: this.image.shared,
      control: this.control.shared,
      trace: guest.trace === undefined ? undefined : shared(guest.trace),
    });
    // A vCPU that fails is seen when the guest is stopped; the thread's own error says more.
    threads.ended.catch((error: unknown) => this.#events.onWarning?.(String(error)));
    if (!(await this.control.waitAllParkedAsync(START_TIMEOUT_MS))) {
      throw new GuestError(
        'vcpu-does-not-start',
        `a vCPU thread did not start within ${START_TIMEOUT_MS} ms`,
      );
    }
    for (const state of states) this.control.writeState(state.index, state);
    this.control.run();
    return threads;
  }

  async #prove(vcpus: readonly VcpuState[], verify: boolean): Promise<GuestProof> {
    if (!verify) return { isProved: false, verdict: 'not proved: --no-verify was given' };
    this.#events.onPhase?.('verify');
    const ramImagePath = this.#guest.kind === 'built' ? this.#guest.ramImagePath : undefined;
    return await proveGuest({
      description: this.#description!,
      vcpus,
      ramSha256: this.hashRam(),
      ramImagePath,
    });
  }

  #counts(): number {
    let sum = 0;
    for (let index = 0; index < this.control.vcpuCount; index += 1) sum += this.control.count(index);
    return sum;
  }
}

/** The trace on memory that all vCPU threads share. */
function shared(trace: GuestTrace): GuestTrace {
  const accesses = new Uint32Array(new SharedArrayBuffer(trace.accesses.byteLength));
  accesses.set(trace.accesses);
  return { pageCount: trace.pageCount, accesses };
}
