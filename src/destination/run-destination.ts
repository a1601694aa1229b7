// Runs the destination of a migration from its first connection to its result.
import { Worker } from 'node:worker_threads';
import { MigrationError, toErrorRecord } from '../errors.ts';
import { type GuestProof, proveGuest } from '../machine/prove-guest.ts';
import type { RamBlockSpec } from '../machine/ram-block.ts';
import type { VcpuState } from '../machine/vcpu-state.ts';
import type { Profile } from '../protocol/profile.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { type Calibration, calibrate } from '../telemetry/calibrate.ts';
import type { FaultRecord } from '../telemetry/fault-record.ts';
import type { MigrationResult } from '../telemetry/result.ts';
import { summariseStalls } from '../telemetry/stalls.ts';
import { wireBytesOfPage } from '../telemetry/wire-rate.ts';
import { GuestHost } from './guest-host.ts';
import type {
  IncomingOrigin,
  IncomingReport,
  IncomingThreadData,
  ToIncomingThread,
  ToMain,
} from './incoming-messages.ts';

/** How to receive a migration. */
export interface DestinationOptions {
  readonly origin: IncomingOrigin;
  readonly profile: Profile;
  /** Local machine type; undefined accepts any. */
  readonly machine: string | undefined;
  /** Host page in bytes of blocks that are not named. */
  readonly hostPageBytes: number;
  readonly hostPageByName: ReadonlyMap<string, number>;
  /** The whole layout; undefined learns it from the stream. */
  readonly layout: readonly RamBlockSpec[] | undefined;
  readonly acceptsUnknownDevices: boolean;
  readonly negotiate: boolean;
  readonly preempt: boolean;
  /** vCPU threads to start ahead of the package; 0 starts them with it. */
  readonly vcpuCount: number;
  /** File that the guest's RAM was filled from, to prove it against. */
  readonly ramImagePath: string | undefined;
  readonly timeoutMs: number;
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
  readonly #abort = new AbortController();
  #worker: Worker | undefined;

  constructor(options: DestinationOptions, events: DestinationEvents = {}) {
    this.#options = options;
    this.#events = events;
    this.#host = new GuestHost({
      onRunning: () => this.#tell({ kind: 'guest-running' }),
      onReply: (bytes) => this.#tell({ kind: 'reply', bytes }),
      onError: (error) => this.#tell({ kind: 'fail', error: toErrorRecord(error) }),
    });
  }

  /** Receives one migration. Errors of the migration are in the result, not thrown. */
  async run(): Promise<DestinationOutcome> {
    const machinery = await calibrate();
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
    const options = this.#options;
    const data: IncomingThreadData = {
      origin: options.origin,
      profile: options.profile,
      machine: options.machine,
      defaultHostPageBytes: options.hostPageBytes,
      hostPageByName: options.hostPageByName,
      layout: options.layout,
      acceptsUnknownDevices: options.acceptsUnknownDevices,
      negotiate: options.negotiate,
      preempt: options.preempt,
      timeoutMs: options.timeoutMs,
      cell: this.#host.cell.shared,
      board: this.#host.board.shared,
      port: this.#host.port.shared,
    };
    const worker = new Worker(INCOMING_ENTRY, { workerData: data, name: 'incoming' });
    // Listened for from the start: a thread that ends at once has its last message and its end told in one turn.
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    this.#worker = worker;
    const report = new Promise<IncomingReport>((resolve, reject) => {
      worker.on('message', (message: ToMain) => {
        if (message.kind === 'done') resolve(message.report);
        else this.#take(message);
      });
      worker.once('error', reject);
    });
    const done = await report;
    await exited;
    this.#worker = undefined;
    return done;
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
        this.#host.prepare(message.ram, this.#options.vcpuCount);
        return;
      case 'load':
        this.#load(message.items);
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
    const vcpus = await this.#host.stop();
    const firstAccessNs = this.#host.firstAccessNs;
    const faults = await this.#host.end();
    const base = { vcpus, faults, firstAccessNs };
    const image = this.#host.image;
    if (report.status !== 'completed' || image === undefined) {
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
    return await proveGuest({ description, vcpus, ramSha256, ramImagePath }, this.#abort.signal);
  }

  #result(report: IncomingReport, finish: Finish, machinery: Calibration): MigrationResult {
    const { description } = this.#host;
    const isCancelled = report.error?.code === 'cancelled';
    const peak = report.peakBytesPerSecond;
    const floorNs = (pageBytes: number) =>
      peak === null || peak === 0 ? undefined : (wireBytesOfPage(pageBytes) * 1e9) / peak;
    const { listenNs, connectedNs, endNs } = report;
    return {
      status: isCancelled && report.status === 'failed' ? 'cancelled' : report.status,
      role: 'destination',
      guestVerified: finish.proof.isProved,
      guestVerification: finish.proof.verdict,
      ramSha256: finish.ramSha256,
      negotiated: (this.#host.image?.blocks ?? []).map((block) => ({
        block: block.name,
        sourceHostPageBytes:
          description?.blocks.find((spec) => spec.name === block.name)?.hostPageBytes ?? null,
        destinationHostPageBytes: block.hostPageBytes,
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
      stalls: summariseStalls(finish.faults, { vcpuCount: Math.max(1, finish.vcpus.length), floorNs }),
      ...(this.#options.keepsFaults ? { faults: finish.faults } : {}),
      machinery,
      wire: {
        bytesPerSecond: report.bytesPerSecond,
        peakBytesPerSecond: peak,
        note: 'as achieved by this migration, not shaped',
      },
      marks: { guestStoppedNs: null, guestRunningNs: finish.firstAccessNs },
      guestAtSource: null,
      ...(report.error === undefined ? {} : { error: report.error }),
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

interface Finish {
  readonly vcpus: readonly VcpuState[];
  readonly faults: readonly FaultRecord[];
  readonly firstAccessNs: number | null;
  readonly ramSha256: Record<string, string>;
  readonly proof: GuestProof;
}
