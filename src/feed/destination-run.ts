// The run of a destination as its feed tells it: pages, vCPUs, faults, stalls and rates, out of shared memory.
import { randomUUID } from 'node:crypto';
import type { RamImage } from '../machine/ram-block.ts';
import { TARGET_PAGE_BYTES } from '../machine/ram-memory.ts';
import type { VcpuControl } from '../machine/vcpu-control.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import type { FaultRecord } from '../telemetry/fault-record.ts';
import type { FaultRing } from '../telemetry/fault-ring.ts';
import type { SharedFigures } from '../telemetry/shared-figures.ts';
import { FaultIntake } from './fault-intake.ts';
import type { FeedPart, FeedRun } from './feed-hub.ts';
import type { FeedBody } from './feed-messages.ts';
import { PageMap } from './page-map.ts';
import { DestinationPages } from './page-reader.ts';
import { FEED_PAGE } from './page-runs.ts';
import { RateMeter } from './rate-meter.ts';

/** The page that a thread waits for. */
export interface WaitingFor {
  readonly blockIndex: number;
  readonly hostPage: number;
  readonly sinceNs: number;
}

/** What is shown of a destination. */
export interface WatchedDestination {
  readonly figures: SharedFigures;
  readonly channels: number;
  /** Threads that may fault: the vCPUs in their order, and the toucher behind them. */
  lanes(): readonly { readonly line: number; readonly ring: FaultRing }[];
  /** What the thread with this line of the fault board waits for; undefined while it runs. */
  waiting(line: number): WaitingFor | undefined;
  /** Undefined before there are vCPUs. */
  control(): VcpuControl | undefined;
  /** Time that the wire alone needs for a page; undefined while that is not known. */
  floorNs(pageBytes: number): number | undefined;
}

/** Stalls are told at every so many ticks. */
const STALLS_EVERY = 5;

/** A run of a destination. */
export class DestinationRun implements FeedRun {
  readonly #destination: WatchedDestination;
  readonly #meter: RateMeter;
  readonly #run = randomUUID();
  readonly #startedAt = Date.now();
  readonly #faults = new FaultIntake();
  #image: RamImage | undefined;
  #pages: PageMap | undefined;
  #ticks = 0;
  #toldFaults = -1;

  constructor(destination: WatchedDestination) {
    this.#destination = destination;
    this.#meter = new RateMeter(destination.figures, monotonicNs());
  }

  get pages(): PageMap | undefined {
    return this.#pages;
  }

  /** Who else wants to see every fault. */
  set onFault(see: (fault: FaultRecord) => void) {
    this.#faults.onFault = see;
  }

  /** RAM is there. */
  take(image: RamImage): void {
    this.#image = image;
    this.#pages = new PageMap(image.blocks.map((block) => new DestinationPages(block)));
  }

  hello(): ReturnType<FeedRun['hello']> {
    const { channels } = this.#destination;
    const blocks = this.#image?.blocks ?? [];
    return {
      run: this.#run,
      startedAt: this.#startedAt,
      blocks: blocks.map(({ name, lengthBytes, hostPageBytes, spec }) => ({
        name,
        length: lengthBytes,
        hostPage: spec.wholePageBytes ?? hostPageBytes,
        placementPage: hostPageBytes,
        targetPage: TARGET_PAGE_BYTES,
      })),
      vcpus: this.#destination.lanes().length,
      link: null,
      channels,
    };
  }

  tick(nowNs: number): FeedPart[] {
    const { lanes } = this.#destination;
    const list = this.#vcpus();
    const rings = lanes().map(({ ring }) => ring);
    const faults = this.#faults.take(rings, this.#image?.blocks.map(({ name }) => name) ?? []);
    const { PRECOPY, PUSHED, BY_REQUEST, ZERO } = FEED_PAGE;
    const own = {
      dirtyBytes: 0,
      faults: this.#faults.count,
      requests: this.#faults.requests,
      requestsOpen: list.filter(({ block }) => block !== undefined).length,
      presentBytes: this.#pages?.bytesIn(PRECOPY, PUSHED, BY_REQUEST, ZERO) ?? 0,
      totalBytes: this.#image?.totalBytes ?? 0,
    };
    this.#ticks += 1;
    const isDue = this.#ticks % STALLS_EVERY === 0 && this.#toldFaults !== this.#faults.count;
    return [
      { kind: 'vcpus', list },
      ...(faults === undefined ? [] : [{ kind: 'faults' as const, ...faults }]),
      ...this.#meter.tick(nowNs, own),
      ...(isDue ? [this.stalls()] : []),
    ];
  }

  /** All stalls so far. */
  stalls(): FeedPart {
    this.#toldFaults = this.#faults.count;
    const pageBytes =
      this.#image?.blocks.reduce((most, block) => Math.max(most, block.hostPageBytes), 0) ?? 0;
    const floor = pageBytes === 0 ? undefined : this.#destination.floorNs(pageBytes);
    return { kind: 'stalls', ...this.#faults.stalls.figures(), floor: floor ?? null };
  }

  #vcpus(): FeedBody<'vcpus'>['list'] {
    const control = this.#destination.control();
    const vcpuCount = control?.vcpuCount ?? 0;
    return this.#destination.lanes().map(({ line }, index) => {
      const waits = this.#destination.waiting(line);
      const isVcpu = index < vcpuCount;
      const running = waits === undefined && isVcpu && control!.status(index) === 'running';
      const steps = isVcpu ? control!.count(index) : 0;
      const block = waits && this.#image?.blocks[waits.blockIndex];
      if (waits === undefined || block === undefined) return { running, steps };
      return {
        running,
        steps,
        block: block.name,
        offset: waits.hostPage * block.hostPageBytes,
        since: waits.sinceNs,
      };
    });
  }
}
