// Runs the destination of a migration from its first connection to its result.
import { Worker } from 'node:worker_threads';
import { type ErrorRecord, MigrationError, toErrorRecord } from '../errors.ts';
import { type GuestProof, proveGuest } from '../machine/prove-guest.ts';
import type { RamImage } from '../machine/ram-block.ts';
import type { VcpuState } from '../machine/vcpu-state.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import type { RecordLine } from '../protocol/record-lines.ts';
import { type Calibration, calibrate } from '../telemetry/calibrate.ts';
import type { FaultRecord } from '../telemetry/fault-record.ts';
import { type PushResult, pushResult } from '../telemetry/push-result.ts';
import type { MigrationResult, MigrationStatus } from '../telemetry/result.ts';
import { RUN_FIGURE, SharedFigures } from '../telemetry/shared-figures.ts';
import { causesThatTook, splitStall } from '../telemetry/stall-causes.ts';
import { summariseStalls } from '../telemetry/stalls.ts';
import { GuestHost } from './guest-host.ts';
import type {
  IncomingReport,
  IncomingThreadData,
  ReceiveOptions,
  ToIncomingThread,
  ToMain,
} from './incoming-messages.ts';
import { countPush } from './push-counts.ts';
import { floorNote, floorOf, type KnownLink } from './stall-floor.ts';
import type { Touch } from './touch-order.ts';

/** How to receive a migration. */
export interface DestinationOptions extends ReceiveOptions {
  /** vCPU threads to start before a source connects; a guest with another number of vCPUs waits for new ones. */
  readonly vcpuCount: number;
  /** File that the guest's RAM was filled from, to prove it against. */
  readonly ramImagePath: string | undefined;
  /** In which order all RAM is touched in postcopy, as if by one more vCPU; undefined touches nothing. */
  readonly touch: Touch | undefined;
  /** The link to here, for the floors beside the stalls; undefined takes the achieved rate. */
  readonly floor: KnownLink | undefined;
  /** Whether the result holds each fault. */
  readonly keepsFaults: boolean;
  /** Whether to run the guest again without migration to prove its RAM. */
  readonly verify: boolean;
}

/** What happens meanwhile. */
export interface DestinationEvents {
  onListening?(uri: string): void;
  onConnected?(peer: string): void;
  onProgress?(progress: { phase: string; doneBytes: number; totalBytes: number; wireBytes: number }): void;
  onWarning?(message: string): void;
  onPhase?(phase: string): void;
  /** RAM is there; whether the source knows the extension. */
  onRam?(image: RamImage, isNegotiated: boolean): void;
  /** What came lately, as a dissection writes it; only of a destination that is watched. */
  onRecords?(lines: readonly RecordLine[], skipped: number): void;
}

/** A result, and what was answered in a replay. */
export interface DestinationOutcome {
  readonly result: MigrationResult;
  readonly replies: Uint8Array | undefined;
}

const INCOMING_ENTRY = new URL('./incoming-thread.js', import.meta.url);

/** A running destination. */
export class Destination {
  readonly #options: DestinationOptions;
  readonly #events: DestinationEvents;
  readonly #host: GuestHost;
  readonly #figures: SharedFigures | undefined;
  readonly #abort = new AbortController();
  #worker: Worker | undefined;

  constructor(options: DestinationOptions, events: DestinationEvents = {}) {
    this.#options = options;
    this.#events = events;
    if (options.isWatched === true) this.#figures = new SharedFigures();
    this.#host = new GuestHost(
      {
        onRunning: () => this.#tell({ kind: 'guest-running' }),
        onReply: (bytes) => this.#tell({ kind: 'reply', bytes }),
        onError: (error) => this.#tell({ kind: 'fail', error: toErrorRecord(error) }),
      },
      options.touch,
      options.isWatched,
    );
  }

  /** The guest here, for who watches. */
  get guest(): GuestHost {
    return this.#host;
  }

  /** What was counted so far; undefined unless it is watched. */
  get figures(): SharedFigures | undefined {
    return this.#figures;
  }

  /** Time that the wire alone needs for a page of so many bytes, as far as is known by now. */
  floorNs(pageBytes: number): number | undefined {
    const peak = this.#figures?.get(RUN_FIGURE.PEAK_BYTES_PER_SECOND) || null;
    return floorOf(this.#options.floor, peak)(pageBytes);
  }

  /** Receives one migration. Errors of the migration are in the result, not thrown. */
  async run(): Promise<DestinationOutcome> {
    const machinery = await calibrate();
    await this.#host.start(this.#options.vcpuCount);
    const report = await this.#receive();
    const proof = await this.#finish(report);
    return { result: this.#result(report, proof, machinery), replies: report.replies };
  }

  /** Ends the migration, whatever its state. */
  cancel(): void {
    this.#tell({
      kind: 'fail',
      error: toErrorRecord(new MigrationError('cancelled', 'the destination was cancelled')),
    });
    this.#abort.abort();
  }

  #tell(message: ToIncomingThread): void {
    this.#worker?.postMessage(message);
  }

  async #receive(): Promise<IncomingReport> {
    const data: IncomingThreadData = {
      options: this.#options,
      cell: this.#host.cell.shared,
      board: this.#host.board.shared,
      port: this.#host.port.shared,
      figures: this.#figures?.shared,
    };
    const worker = new Worker(INCOMING_ENTRY, { workerData: data, name: 'incoming' });
    this.#worker = worker;
    return await new Promise<IncomingReport>((resolve, reject) => {
      let report: IncomingReport | undefined;
      worker.on('message', (message: ToMain) => {
        if (message.kind === 'done') report = message.report;
        else this.#take(message);
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

  #take(message: Exclude<ToMain, { kind: 'done' }>): void {
    switch (message.kind) {
      case 'listening':
        this.#events.onListening?.(message.uri);
        return;
      case 'connected':
        this.#events.onConnected?.(message.peer);
        return;
      case 'ram':
        this.#host.prepare(message.ram);
        this.#events.onRam?.(this.#host.image!, message.isNegotiated);
        return;
      case 'load':
        this.#load(message.items);
        return;
      case 'records':
        this.#events.onRecords?.(message.lines, message.skipped);
        return;
      case 'warn':
        this.#events.onWarning?.(message.message);
        return;
      case 'progress':
        this.#events.onProgress?.(message);
        return;
    }
  }

  /** Items of a precopy stream come in several messages, and each must wait for the one before. */
  #load(items: Parameters<GuestHost['load']>[0]): void {
    this.#loading = this.#loading.then(() => this.#host.load(items));
  }
  #loading: Promise<void> = Promise.resolve();

  async #finish(report: IncomingReport): Promise<Finish> {
    await this.#loading;
    const stopped = await this.#stopGuest(report);
    const firstAccessNs = this.#host.firstAccessNs;
    const faults = await this.#host.end();
    const { vcpus, status, error } = stopped;
    const base = { vcpus, status, error, faults, firstAccessNs };
    const image = this.#host.image;
    if (status !== 'completed' || image === undefined) {
      return {
        ...base,
        ramSha256: {},
        proof: { isProved: false, verdict: 'not proved: the migration did not complete' },
      };
    }
    this.#events.onPhase?.('hash');
    const ramSha256 = Object.fromEntries(image.blocks.map((block) => [block.name, block.hashSha256()]));
    return { ...base, ramSha256, proof: await this.#prove(vcpus, ramSha256) };
  }

  /** A vCPU that has died is found here at the latest, and with it the migration has failed. */
  async #stopGuest({ status, error }: IncomingReport): Promise<Pick<Finish, 'vcpus' | 'status' | 'error'>> {
    const isCancelled = error?.code === 'cancelled' && status === 'failed';
    try {
      return { vcpus: await this.#host.stop(), status: isCancelled ? 'cancelled' : status, error };
    } catch (failure) {
      return { vcpus: [], status: 'failed', error: error ?? toErrorRecord(failure) };
    }
  }

  async #prove(vcpus: readonly VcpuState[], ramSha256: Record<string, string>): Promise<GuestProof> {
    const description = this.#host.description;
    if (description === undefined || vcpus.length === 0) {
      return {
        isProved: false,
        verdict: 'not proved: the stream held no guest of ours; its RAM hash is given',
      };
    }
    if (!this.#options.verify) return { isProved: false, verdict: 'not proved: --no-verify was given' };
    this.#events.onPhase?.('verify');
    const { ramImagePath } = this.#options;
    const touchesFrom = this.#host.countsAtRun;
    return await proveGuest({ description, vcpus, ramSha256, ramImagePath, touchesFrom }, this.#abort.signal);
  }

  /** vCPUs, and the toucher, which counts as one more. A guest that is not ours has one at least. */
  #faultingCount(): number {
    return Math.max(1, this.#host.vcpuCount + (this.#options.touch === undefined ? 0 : 1));
  }

  #touchResult(): Pick<MigrationResult, 'touch'> {
    const { touch } = this.#options;
    if (touch === undefined) return {};
    const seed = touch.order === 'random' ? touch.seed : null;
    return { touch: { order: touch.order, seed, vcpu: this.#host.vcpuCount } };
  }

  /** The toucher touches every page, which says nothing of what the guest would have done. */
  #push({ listenNs, pushed }: IncomingReport, { faults, proof }: Finish): PushResult | null {
    const { image } = this.#host;
    if (listenNs === null || image === undefined) return null;
    const touched = this.#options.touch === undefined ? proof.touched : undefined;
    return pushResult(countPush({ image, pushed, faults, touched }));
  }

  #result(report: IncomingReport, finish: Finish, machinery: Calibration): MigrationResult {
    const { description } = this.#host;
    const peak = report.peakBytesPerSecond;
    const { listenNs, connectedNs, endNs } = report;
    return {
      status: finish.status,
      role: 'destination',
      guestVerified: finish.proof.isProved,
      guestVerification: finish.proof.verdict,
      ramSha256: finish.ramSha256,
      negotiated: (this.#host.image?.blocks ?? []).map((block) => ({
        block: block.name,
        sourceHostPageBytes:
          description?.blocks.find((spec) => spec.name === block.name)?.hostPageBytes ?? null,
        destinationHostPageBytes: block.spec.wholePageBytes ?? block.hostPageBytes,
        placementPageBytes: report.isNegotiated ? block.hostPageBytes : null,
      })),
      pages: {
        precopy: report.pages.precopy,
        postcopyBackground: report.pages.background,
        requested: report.pages.requested,
        zero: report.pages.zero,
        duplicate: report.pages.duplicate,
      },
      bytes: {
        wire: report.wireBytes,
        discarded: report.pages.discarded * TARGET_PAGE_BYTES,
        amplified: null,
      },
      times: {
        totalNs: endNs - connectedNs,
        downtimeNs: null,
        phases: {
          precopy: (listenNs ?? endNs) - connectedNs,
          ...(listenNs === null ? {} : { postcopy: endNs - listenNs }),
        },
      },
      passes: [],
      push: this.#push(report, finish),
      stalls: summariseStalls(finish.faults, {
        vcpuCount: this.#faultingCount(),
        floorNs: floorOf(this.#options.floor, peak),
      }),
      ...(report.collapses === undefined ? {} : { collapses: report.collapses }),
      ...(report.pagesOverTime === undefined ? {} : { pagesOverTime: report.pagesOverTime }),
      ...this.#touchResult(),
      ...(this.#options.keepsFaults ? { faults: finish.faults.map(withOwnCauses), pongs: report.pongs } : {}),
      machinery,
      wire: {
        bytesPerSecond: report.bytesPerSecond,
        peakBytesPerSecond: peak,
        note: floorNote(this.#options.floor),
      },
      marks: { guestStoppedNs: null, guestRunningNs: finish.firstAccessNs },
      guestAtSource: null,
      ...(finish.error === undefined ? {} : { error: finish.error }),
      guest:
        description === undefined
          ? null
          : {
              mmu: description.mmu,
              largestPageBytes: description.guestPageBytes,
              vcpus: finish.vcpus.map(({ index, program, count }) => ({ index, program, count })),
            },
    };
  }
}

/** A fault and what this end can tell that it waited for. */
function withOwnCauses(fault: FaultRecord): FaultRecord {
  return { ...fault, causesNs: causesThatTook(splitStall(fault).causesNs) };
}

/** How the guest ended, and the proof of its RAM. */
interface Finish {
  readonly vcpus: readonly VcpuState[];
  readonly status: MigrationStatus;
  readonly error: ErrorRecord | undefined;
  readonly faults: readonly FaultRecord[];
  readonly firstAccessNs: number | null;
  readonly ramSha256: Record<string, string>;
  readonly proof: GuestProof;
}
