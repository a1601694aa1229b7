// Hosts the incoming guest: starts its vCPU threads, loads their state, runs and stops them, gathers their faults.
import { GuestError, StateError } from '../errors.ts';
import { decodeGuestDescription, type GuestDescription } from '../machine/guest-description.ts';
import { RamImage, type SharedRamImage } from '../machine/ram-block.ts';
import type { VcpuControl } from '../machine/vcpu-control.ts';
import { decodeVcpuState, type VcpuState } from '../machine/vcpu-state.ts';
import { encodeReturnPath } from '../protocol/return-path-messages.ts';
import { FaultLog, faultRing } from '../telemetry/fault-log.ts';
import type { FaultRecord } from '../telemetry/fault-record.ts';
import type { FaultRing } from '../telemetry/fault-ring.ts';
import { FaultBoard } from './fault-board.ts';
import type { LoadItem } from './incoming-effects.ts';
import { PostcopyStateCell } from './incoming-states.ts';
import { type DeviceRecord, GUEST_IDSTR, VCPU_IDSTR } from './known-devices.ts';
import { ReturnPathPort } from './return-path-port.ts';
import type { Touch } from './touch-order.ts';
import { Toucher } from './toucher.ts';
import { VcpuCrew } from './vcpu-crew.ts';

/** A vCPU that does not park within this time never will. */
const PARK_TIMEOUT_MS = 5000;
/** Starting a thread takes many milliseconds, and seconds where a dozen start on a loaded machine. */
const START_TIMEOUT_MS = 30_000;
/** vCPUs of one guest at most; the fault board has a line for each, and one for the toucher. */
const VCPU_LIMIT = 64;
const TOUCHER_LINE = VCPU_LIMIT;

/** A thread that may fault, as who watches sees it. */
export interface FaultLane {
  /** Its line of the fault board. */
  readonly line: number;
  readonly ring: FaultRing;
}

/** What the host tells. */
export interface GuestHostEvents {
  /** The vCPUs run. */
  onRunning(): void;
  /** Bytes for the return path, from a vCPU that cannot write them itself. */
  onReply(bytes: Uint8Array): void;
  /** A vCPU thread died, or device state could not be loaded. */
  onError(error: unknown): void;
}

/** The guest at the destination. */
export class GuestHost {
  readonly cell = new PostcopyStateCell();
  readonly board = FaultBoard.allocate(VCPU_LIMIT + 1);
  readonly port: ReturnPathPort;
  description: GuestDescription | undefined;
  image: RamImage | undefined;
  #ram: SharedRamImage | undefined;
  #crew: VcpuCrew | undefined;
  #isRunning = false;
  #toucher: Toucher | undefined;
  readonly #events: GuestHostEvents;
  readonly #touch: Touch | undefined;
  readonly #states: VcpuState[] = [];
  #crewRings: readonly FaultRing[] = [];
  #toucherRing: FaultRing | undefined;
  readonly #isWatched: boolean;

  /** `touch`: in which order all RAM is to be touched in postcopy, if it is to be. `isWatched`: whether faults are shown. */
  constructor(events: GuestHostEvents, touch?: Touch, isWatched = false) {
    this.#isWatched = isWatched;
    this.#events = events;
    this.#touch = touch;
    this.port = ReturnPathPort.allocate((bytes) => events.onReply(bytes));
  }

  /** vCPUs whose state has come. */
  get vcpuCount(): number {
    return this.#states.length;
  }

  /** The vCPUs, once there are any. */
  get control(): VcpuControl | undefined {
    return this.#crew?.control;
  }

  /** The threads that may fault, the toucher last; none unless watched. */
  get lanes(): readonly FaultLane[] {
    const lanes = this.#crewRings.map((ring, line) => ({ line, ring }));
    return this.#toucherRing === undefined
      ? lanes
      : [...lanes, { line: TOUCHER_LINE, ring: this.#toucherRing }];
  }

  /** Accesses that each vCPU had done when its state came. */
  get countsAtRun(): number[] {
    return this.#states.map((state) => state.count);
  }

  /** When the first vCPU began to run, in monotonic ns; null before. */
  get firstAccessNs(): number | null {
    const control = this.#crew?.control;
    if (control === undefined || !this.#isRunning) return null;
    const starts = Array.from({ length: control.vcpuCount }, (_, index) => control.firstAccessNs(index));
    const begun = starts.filter((start) => start > 0);
    return begun.length === 0 ? null : Math.min(...begun);
  }

  /**
   * Starts the threads of `vcpuCount` vCPUs, and the toucher, if there is to be one, and waits until they have started:
   * pages come as soon as there is RAM, and on a busy machine all of them before a thread has started.
   *
   * @throws GuestError `vcpu-does-not-start`, `vcpu-thread-died`, and as the toucher
   */
  async start(vcpuCount: number): Promise<void> {
    if (vcpuCount > 0) this.#crew = this.#startCrew(vcpuCount);
    if (this.#touch !== undefined) {
      if (this.#isWatched) this.#toucherRing = faultRing();
      this.#toucher = new Toucher({
        touch: this.#touch,
        line: TOUCHER_LINE,
        board: this.board.shared,
        port: this.port.shared,
        ring: this.#toucherRing?.shared,
        onReply: this.#events.onReply,
        onError: this.#events.onError,
      });
    }
    await this.#crew?.started;
    if (this.#toucher === undefined || (await this.#toucher.waitReady(START_TIMEOUT_MS))) return;
    throw new GuestError('vcpu-does-not-start', `the toucher did not start within ${START_TIMEOUT_MS} ms`);
  }

  /** Takes the RAM. */
  prepare(ram: SharedRamImage): void {
    this.#ram = ram;
    this.image = new RamImage(ram);
    this.#toucher?.take(ram);
  }

  /** Performs what the package asks for, in order; errors go to `onError`. */
  async load(items: readonly LoadItem[]): Promise<void> {
    try {
      for (const item of items) {
        if (item.kind === 'device') this.#loadDevice(item.device);
        else if (item.kind === 'ping') this.port.send(encodeReturnPath('PONG', { value: item.value }));
        else await this.#run(item.event);
      }
    } catch (error) {
      this.#events.onError(error);
    }
  }

  /** Stops the guest and returns the states of its vCPUs. */
  async stop(): Promise<VcpuState[]> {
    const control = this.#crew?.control;
    if (control === undefined || !this.#isRunning) return [];
    control.stop();
    if (!(await control.waitAllParkedAsync(PARK_TIMEOUT_MS))) {
      throw new GuestError('vcpu-does-not-stop', `a vCPU did not stop within ${PARK_TIMEOUT_MS} ms`);
    }
    return this.#states.map((_, index) => control.readState(index));
  }

  /** Ends the threads and returns every fault, in order of time; those of the toucher as if by one more vCPU. */
  async end(): Promise<FaultRecord[]> {
    const touched = await this.#toucher?.end();
    const faultLogs = (await this.#crew?.end()) ?? [];
    const names = this.image?.blocks.map((block) => block.name) ?? [];
    const faults = faultLogs.flatMap((data) => new FaultLog(data.vcpu, data).toRecords(names));
    if (touched !== undefined) faults.push(...new FaultLog(this.vcpuCount, touched).toRecords(names));
    return faults.sort((a, b) => a.faultNs - b.faultNs);
  }

  #startCrew(vcpuCount: number): VcpuCrew {
    const { onReply, onError } = this.#events;
    this.#crewRings = Array.from({ length: this.#isWatched ? vcpuCount : 0 }, () => faultRing());
    const rings = this.#crewRings.map((ring) => ring.shared);
    const shared = { board: this.board.shared, port: this.port.shared, rings };
    return new VcpuCrew(vcpuCount, { ...shared, onReply, onError });
  }

  #loadDevice(device: DeviceRecord): void {
    if (device.idstr === GUEST_IDSTR) {
      this.description = decodeGuestDescription(device.payload);
    } else if (device.idstr === VCPU_IDSTR) {
      const state = decodeVcpuState(device.payload);
      if (state.index !== this.#states.length || device.instanceId !== state.index) {
        throw new GuestError(
          'bad-vcpu-state',
          `expected the state of vCPU ${this.#states.length}, found that of vCPU ${state.index} in instance ${device.instanceId}`,
        );
      }
      this.#states.push(state);
    }
    // Any other device was let in to be kept unread.
  }

  async #run(event: 'run' | 'run-precopy'): Promise<void> {
    const count = this.#states.length;
    if (count > 0) {
      if (this.#ram === undefined)
        throw new StateError('no-ram-list', 'expected the RAM list before RUN, found none');
      const { control } = await this.#readyCrew(count, this.#ram);
      for (const state of this.#states) control.writeState(state.index, state);
    }
    // From here on the guest lives here. If the channel failed first, this throws, and it never runs.
    this.cell.advance(event);
    if (count > 0) {
      this.#isRunning = true;
      this.#crew!.control.run();
    }
    if (event === 'run') this.#toucher?.run();
    this.#events.onRunning();
  }

  /** As many threads as there are vCPUs, parked: those that were started ahead, or others if they were not so many. */
  async #readyCrew(vcpuCount: number, ram: SharedRamImage): Promise<VcpuCrew> {
    if (this.#crew?.control.vcpuCount !== vcpuCount) {
      await this.#crew?.end();
      this.#crew = this.#startCrew(vcpuCount);
    }
    const crew = this.#crew;
    crew.take(ram, this.description?.trace);
    if (await crew.control.waitAllParkedAsync(START_TIMEOUT_MS)) return crew;
    throw new GuestError('vcpu-does-not-start', `a vCPU thread did not start within ${START_TIMEOUT_MS} ms`);
  }
}
