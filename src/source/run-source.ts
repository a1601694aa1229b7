// Runs the source of a migration: builds the guest, lets it run, sends it, and looks after it if it stays.
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { GuestError, OptionError } from '../errors.ts';
import { fillFromFile, fillPattern } from '../machine/fill.ts';
import { encodeGuestDescription, type GuestDescription } from '../machine/guest-description.ts';
import type { GuestTrace } from '../machine/guest-programs.ts';
import { initialVcpuStates } from '../machine/initial-vcpu-states.ts';
import { mmuRefusal } from '../machine/mmu.ts';
import { type GuestProof, proveGuest } from '../machine/prove-guest.ts';
import { type RamBlockSpec, RamImage } from '../machine/ram-block.ts';
import { VcpuControl } from '../machine/vcpu-control.ts';
import type { GuestProgramName, VcpuState } from '../machine/vcpu-state.ts';
import { startVcpuThreads, type VcpuThreads } from '../machine/vcpu-threads.ts';
import type { Profile } from '../protocol/profile.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import type { MigrationResult } from '../telemetry/result.ts';
import type { ChannelUri } from '../transport/uri.ts';
import type { OutgoingOptions } from './outgoing.ts';
import type { OutgoingReport, OutgoingThreadData, ToMain, ToOutgoingThread } from './outgoing-messages.ts';

/** The guest to build. */
export interface SourceGuest {
  readonly blocks: readonly RamBlockSpec[];
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

/** How to migrate it. */
export interface SourceOptions {
  readonly uri: ChannelUri;
  readonly guest: SourceGuest;
  readonly outgoing: OutgoingOptions;
  readonly profile: Profile;
  readonly timeoutMs: number;
  readonly maxBandwidth: number;
  readonly maxPostcopyBandwidth: number;
  /** New directory to record both directions in; undefined records nothing. */
  readonly recordPath: string | undefined;
  /** How long the guest runs before the migration begins. */
  readonly warmUpMs: number;
  /** Whether a guest that stays is run again without migration to prove its RAM. */
  readonly verify: boolean;
}

/** What happens meanwhile. */
export interface SourceEvents {
  onPhase?(phase: string): void;
  onProgress?(progress: { phase: string; doneBytes: number; totalBytes: number; wireBytes: number }): void;
  onWarning?(message: string): void;
}

const OUTGOING_ENTRY = new URL('./outgoing-thread.js', import.meta.url);
const PARK_TIMEOUT_MS = 5000;
/** Starting a thread takes many milliseconds, and seconds where a dozen start on a loaded machine. */
const START_TIMEOUT_MS = 30_000;
/** A guest that stays runs on for so long, so that its proof covers accesses after the failed migration. */
const STAY_MS = 100;

/** A running source. */
export class Source {
  readonly #options: SourceOptions;
  readonly #events: SourceEvents;
  readonly #image: RamImage;
  readonly #control: VcpuControl;
  readonly #abort = new AbortController();
  #worker: Worker | undefined;
  #isCancelled = false;

  /** @throws OptionError `guest-page-too-large`, MemoryMapError for RAM that cannot be */
  constructor(options: SourceOptions, events: SourceEvents = {}) {
    this.#options = options;
    this.#events = events;
    const { guest, outgoing } = options;
    const refusal = mmuRefusal(outgoing.guest, guest.blocks);
    if (refusal !== undefined)
      throw new OptionError('guest-page-too-large', `at the source: ${refusal.message}`);
    this.#image = RamImage.allocate(guest.blocks, 'present');
    this.#control = VcpuControl.allocate(guest.vcpuCount);
  }

  /** Migrates the guest. Errors of the migration are in the result, not thrown. */
  async run(): Promise<MigrationResult> {
    this.#events.onPhase?.('fill');
    const description = this.#fill();
    const threads = await this.#startGuest();
    await sleep(this.#options.warmUpMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
    const report = await this.#send(encodeGuestDescription(description));
    const stayed = report.hasGivenGuestAway ? undefined : await this.#keepGuest(description);
    this.#control.exit();
    await threads.ended;
    return this.#result(report, stayed);
  }

  /** Cancels; once the guest may be at the destination only `force` does, and may lose it. */
  cancel(force: boolean): void {
    this.#isCancelled = true;
    this.#abort.abort();
    const message: ToOutgoingThread = { kind: 'cancel', force };
    this.#worker?.postMessage(message);
  }

  #fill(): GuestDescription {
    const { guest, outgoing } = this.#options;
    const fill =
      guest.ramImagePath === undefined
        ? fillPattern(this.#image, guest.seed, guest.zeroPercent)
        : fillFromFile(this.#image, guest.ramImagePath);
    return {
      fill,
      blocks: guest.blocks,
      mmu: outgoing.guest.mmu,
      guestPageBytes: outgoing.guest.guestPageBytes,
      ...(guest.trace === undefined
        ? {}
        : { trace: { pageCount: guest.trace.pageCount, accesses: guest.trace.accesses } }),
    };
  }

  async #startGuest(): Promise<VcpuThreads> {
    const { guest } = this.#options;
    const states = initialVcpuStates({
      vcpus: guest.vcpuCount,
      program: guest.program,
      seed: guest.seed,
      writePercent: guest.writePercent,
      ratePerSecond: guest.ratePerSecond,
      totalPages: this.#image.totalBytes / TARGET_PAGE_BYTES,
      ...(guest.trace === undefined ? {} : { trace: guest.trace }),
    });
    const threads = startVcpuThreads({
      ram: this.#image.shared,
      control: this.#control.shared,
      trace: guest.trace === undefined ? undefined : shared(guest.trace),
    });
    // A vCPU that fails is seen when the guest is stopped; the thread's own error says more.
    threads.ended.catch((error: unknown) => this.#events.onWarning?.(String(error)));
    if (!(await this.#control.waitAllParkedAsync(START_TIMEOUT_MS))) {
      throw new GuestError(
        'vcpu-does-not-start',
        `a vCPU thread did not start within ${START_TIMEOUT_MS} ms`,
      );
    }
    for (const state of states) this.#control.writeState(state.index, state);
    this.#control.run();
    return threads;
  }

  async #send(guestDescription: Uint8Array): Promise<OutgoingReport> {
    const { uri, outgoing, profile, timeoutMs, maxBandwidth, maxPostcopyBandwidth, recordPath } =
      this.#options;
    const data: OutgoingThreadData = {
      uri,
      ram: this.#image.shared,
      control: this.#control.shared,
      guestDescription,
      options: outgoing,
      profile,
      timeoutMs,
      maxBandwidth,
      maxPostcopyBandwidth,
      recordPath,
    };
    const worker = new Worker(OUTGOING_ENTRY, { workerData: data, name: 'outgoing' });
    this.#worker = worker;
    if (this.#isCancelled) this.cancel(false);
    return await new Promise<OutgoingReport>((resolve, reject) => {
      let report: OutgoingReport | undefined;
      worker.on('message', (message: ToMain) => {
        if (message.kind === 'done') report = message.report;
        else if (message.kind === 'progress') this.#events.onProgress?.(message);
        else this.#events.onWarning?.(message.message);
      });
      worker.once('error', reject);
      // It may come in the same turn as the report: who began to wait for it only then would wait for ever.
      worker.once('exit', () => {
        this.#worker = undefined;
        if (report === undefined) reject(new Error('the migration thread ended without a report'));
        else resolve(report);
      });
    });
  }

  /** The migration failed and the guest stays: it goes on, and then proves that nothing happened to it. */
  async #keepGuest(description: GuestDescription): Promise<StayedGuest> {
    const before = this.#counts();
    this.#control.run();
    // On a busy machine its threads may not have had a turn by then, and a guest that did nothing proves little.
    for (let waitedMs = 0; waitedMs === 0 || (this.#counts() === before && waitedMs < PARK_TIMEOUT_MS); ) {
      await sleep(STAY_MS);
      waitedMs += STAY_MS;
    }
    this.#control.stop();
    if (!(await this.#control.waitAllParkedAsync(PARK_TIMEOUT_MS))) {
      throw new GuestError('vcpu-does-not-stop', `a vCPU did not stop within ${PARK_TIMEOUT_MS} ms`);
    }
    const vcpus = Array.from({ length: this.#control.vcpuCount }, (_, index) =>
      this.#control.readState(index),
    );
    const wentOn = this.#counts() - before;
    return { vcpus, accessesSince: wentOn, ...(await this.#prove(description, vcpus)) };
  }

  async #prove(description: GuestDescription, vcpus: readonly VcpuState[]): Promise<GuestProof> {
    if (!this.#options.verify) return { isProved: false, verdict: 'not proved: --no-verify was given' };
    this.#events.onPhase?.('verify');
    const ramSha256 = Object.fromEntries(this.#image.blocks.map((block) => [block.name, block.hashSha256()]));
    const { ramImagePath } = this.#options.guest;
    return await proveGuest({ description, vcpus, ramSha256, ramImagePath });
  }

  #counts(): number {
    let sum = 0;
    for (let index = 0; index < this.#control.vcpuCount; index += 1) sum += this.#control.count(index);
    return sum;
  }

  #result(report: OutgoingReport, stayed: StayedGuest | undefined): MigrationResult {
    const { counters } = report;
    const { guest, outgoing } = this.#options;
    const phases = phaseDurations(report);
    return {
      status: statusOf(report),
      role: 'source',
      guestVerified: false,
      guestVerification:
        stayed === undefined
          ? 'the guest left; its RAM is proved at the destination'
          : 'not verified: the migration did not complete, and the guest went on at the source',
      ramSha256: {},
      negotiated: this.#image.blocks.map((block) => {
        const placement = report.placements.find((candidate) => candidate.block === block.name);
        return {
          block: block.name,
          sourceHostPageBytes: block.hostPageBytes,
          destinationHostPageBytes: placement?.destinationHostPageBytes ?? null,
          placementPageBytes: report.isNegotiated ? (placement?.placementPageBytes ?? null) : null,
        };
      }),
      pages: {
        precopy: counters.precopyPages,
        postcopyBackground: counters.backgroundPages,
        requested: counters.requestedPages,
        zero: counters.zeroPages,
        duplicate: null,
      },
      bytes: {
        wire: counters.wireBytes,
        discarded: counters.discardedPages * TARGET_PAGE_BYTES,
        amplified: counters.amplifiedPages * TARGET_PAGE_BYTES,
      },
      times: { totalNs: Object.values(phases).reduce((sum, ns) => sum + ns, 0), downtimeNs: null, phases },
      passes: report.passes,
      stalls: null,
      machinery: null,
      wire: {
        bytesPerSecond: report.bytesPerSecond,
        peakBytesPerSecond: report.peakBytesPerSecond,
        note: 'as achieved by this migration, not shaped',
      },
      marks: { guestStoppedNs: report.guestStoppedNs, guestRunningNs: null },
      guestAtSource:
        stayed === undefined
          ? null
          : { isProved: stayed.isProved, verdict: stayed.verdict, accessesSince: stayed.accessesSince },
      ...(report.error === undefined ? {} : { error: report.error }),
      guest: {
        mmu: outgoing.guest.mmu,
        largestPageBytes: outgoing.guest.guestPageBytes,
        vcpus: Array.from({ length: guest.vcpuCount }, (_, index) => ({
          index,
          program: guest.program,
          count: stayed?.vcpus[index]?.count ?? this.#control.count(index),
        })),
      },
    };
  }
}

interface StayedGuest extends GuestProof {
  readonly vcpus: readonly VcpuState[];
  readonly accessesSince: number;
}

/** The trace on memory that all vCPU threads share. */
function shared(trace: GuestTrace): GuestTrace {
  const accesses = new Uint32Array(new SharedArrayBuffer(trace.accesses.byteLength));
  accesses.set(trace.accesses);
  return { pageCount: trace.pageCount, accesses };
}

function statusOf({ state, error }: OutgoingReport): MigrationResult['status'] {
  if (state === 'completed' || state === 'cancelled' || state === 'postcopy-paused') return state;
  return error?.code === 'cancelled' ? 'cancelled' : 'failed';
}

function phaseDurations({ phaseStartsNs, endNs }: OutgoingReport): Record<string, number> {
  return Object.fromEntries(
    phaseStartsNs
      .map(([name, startNs], index) => [name, (phaseStartsNs[index + 1]?.[1] ?? endNs) - startNs] as const)
      .filter(([name]) => name !== 'end'),
  );
}
