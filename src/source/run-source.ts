// Runs the source of a migration: lets the guest run, sends it, and tells what came of it.
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { OptionError } from '../errors.ts';
import { encodeGuestDescription } from '../machine/guest-description.ts';
import { mmuRefusal } from '../machine/mmu.ts';
import type { Profile } from '../protocol/profile.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { formatBitRate, linkVerdict } from '../telemetry/link-result.ts';
import { pushResult } from '../telemetry/push-result.ts';
import type { MigrationResult } from '../telemetry/result.ts';
import { SharedFigures } from '../telemetry/shared-figures.ts';
import type { LinkSpec } from '../transport/link-spec.ts';
import type { ChannelUri } from '../transport/uri.ts';
import type { DeviceSection } from './device-sections.ts';
import { type BuiltGuest, GuestAtSource, type RecordedGuest, type StayedGuest } from './guest-at-source.ts';
import type { OutgoingOptions } from './outgoing.ts';
import type {
  OutgoingNews,
  OutgoingReport,
  OutgoingThreadData,
  ToMain,
  ToOutgoingThread,
} from './outgoing-messages.ts';
import { requestRecords } from './request-log.ts';

/** How to migrate a guest. */
export interface SourceOptions {
  readonly uri: ChannelUri;
  readonly guest: BuiltGuest | RecordedGuest;
  /** Devices of a recorded machine, sent in place of those of a guest of ours. */
  readonly recordedDevices: readonly DeviceSection[] | undefined;
  readonly outgoing: OutgoingOptions;
  readonly profile: Profile;
  readonly timeoutMs: number;
  /** How long to try again while nobody listens yet; 0 is one attempt. */
  readonly connectTimeoutMs: number;
  readonly maxBandwidth: number;
  readonly maxPostcopyBandwidth: number;
  /** The link to emulate; undefined takes the one there is. */
  readonly link: LinkSpec | undefined;
  /** Whether somebody may watch: then what is shown to them is kept in shared memory. */
  readonly isWatched?: boolean;
  /** New directory to record both directions in; undefined records nothing. */
  readonly recordPath: string | undefined;
  /** How long the guest runs before the migration begins. */
  readonly warmUpMs: number;
  /** Awaited between warm-up and migration, the guest running; a cancel ends it. */
  readonly hold?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Whether a guest that stays is run again without migration to prove its RAM. */
  readonly verify: boolean;
}

/** What happens meanwhile. */
export interface SourceEvents {
  onPhase?(phase: string): void;
  onProgress?(progress: { phase: string; doneBytes: number; totalBytes: number; wireBytes: number }): void;
  onWarning?(message: string): void;
  /** What came lately; only of a source that is watched. */
  onNews?(news: OutgoingNews): void;
}

const OUTGOING_ENTRY = new URL('./outgoing-thread.js', import.meta.url);

/** A running source. */
export class Source {
  readonly #options: SourceOptions;
  readonly #events: SourceEvents;
  readonly #guest: GuestAtSource;
  readonly #figures: SharedFigures | undefined;
  readonly #abort = new AbortController();
  #worker: Worker | undefined;
  #isCancelled = false;

  /** @throws OptionError `guest-page-too-large`, MemoryMapError for RAM that cannot be */
  constructor(options: SourceOptions, events: SourceEvents = {}) {
    this.#options = options;
    this.#events = events;
    const { guest, outgoing } = options;
    const blocks = guest.kind === 'built' ? guest.blocks : guest.ram.blocks.map((block) => block.spec);
    const refusal = mmuRefusal(outgoing.guest, blocks);
    if (refusal !== undefined)
      throw new OptionError('guest-page-too-large', `at the source: ${refusal.message}`);
    this.#guest = new GuestAtSource(guest, outgoing.guest, events);
    if (options.isWatched === true) this.#figures = new SharedFigures();
  }

  /** The guest here, for who watches. */
  get guest(): GuestAtSource {
    return this.#guest;
  }

  /** What was counted so far; undefined unless it is watched. */
  get figures(): SharedFigures | undefined {
    return this.#figures;
  }

  /** Migrates the guest. Errors of the migration are in the result, not thrown. */
  async run(): Promise<MigrationResult> {
    const { warmUpMs, hold, verify } = this.#options;
    const guest = this.#guest;
    await guest.start();
    if (guest.runsHere)
      await sleep(warmUpMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
    await hold?.(this.#abort.signal);
    const report = await this.#send();
    const stays = !report.hasGivenGuestAway && guest.runsHere;
    const stayed = stays ? await guest.keep(verify) : undefined;
    await guest.end();
    return this.#result(report, stayed, this.#hashWhatLeft(report));
  }

  /** Nobody proves a guest whose devices are not ours, so whoever compares its RAM is given the hash of what left. */
  #hashWhatLeft(report: OutgoingReport): Record<string, string> {
    const { recordedDevices, verify } = this.#options;
    if (recordedDevices === undefined || !verify || report.state !== 'completed') return {};
    this.#events.onPhase?.('hash');
    return this.#guest.hashRam();
  }

  /** Cancels; once the guest may be at the destination only `force` does, and may lose it. */
  cancel(force: boolean): void {
    this.#isCancelled = true;
    this.#abort.abort();
    this.#tell({ kind: 'cancel', force });
  }

  /** Goes on to postcopy now, if it is in precopy and may. */
  switchNow(): void {
    this.#tell({ kind: 'switch' });
  }

  /** Sends nothing unasked after the switchover, or goes on with it. */
  pausePush(isPaused: boolean): void {
    this.#tell({ kind: 'pause-push', isPaused });
  }

  /** Makes the emulated link another one; without one there is none to change. */
  reshapeLink(link: LinkSpec): void {
    this.#tell({ kind: 'link', link });
  }

  #tell(message: ToOutgoingThread): void {
    this.#worker?.postMessage(message);
  }

  async #send(): Promise<OutgoingReport> {
    const { uri, outgoing, profile, timeoutMs, connectTimeoutMs } = this.#options;
    const { maxBandwidth, maxPostcopyBandwidth, link, recordPath } = this.#options;
    const { image, control, description } = this.#guest;
    const { recordedDevices } = this.#options;
    const data: OutgoingThreadData = {
      uri,
      ram: image.shared,
      control: control.shared,
      devices:
        recordedDevices === undefined
          ? { kind: 'guest', description: encodeGuestDescription(description!) }
          : { kind: 'recorded', sections: recordedDevices },
      options: outgoing,
      profile,
      timeoutMs,
      connectTimeoutMs,
      maxBandwidth,
      maxPostcopyBandwidth,
      link,
      recordPath,
      figures: this.#figures?.shared,
    };
    const worker = new Worker(OUTGOING_ENTRY, { workerData: data, name: 'outgoing' });
    this.#worker = worker;
    if (this.#isCancelled) this.cancel(false);
    return await new Promise<OutgoingReport>((resolve, reject) => {
      let report: OutgoingReport | undefined;
      worker.on('message', (message: ToMain) => {
        if (message.kind === 'done') report = message.report;
        else if (message.kind === 'progress') this.#events.onProgress?.(message);
        else if (message.kind === 'news') this.#events.onNews?.(message.news);
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

  #result(
    report: OutgoingReport,
    stayed: StayedGuest | undefined,
    ramSha256: Record<string, string>,
  ): MigrationResult {
    const { counters } = report;
    const { outgoing } = this.#options;
    const phases = phaseDurations(report);
    const isAgreed = report.isNegotiated && report.phaseStartsNs.some(([phase]) => phase === 'precopy');
    return {
      status: statusOf(report),
      role: 'source',
      guestVerified: false,
      guestVerification: this.#verdict(report, stayed, ramSha256),
      ramSha256,
      negotiated: this.#guest.image.blocks.map((block) => {
        const placement = report.placements.find((candidate) => candidate.block === block.name);
        return {
          block: block.name,
          sourceHostPageBytes: block.hostPageBytes,
          destinationHostPageBytes: placement?.destinationHostPageBytes ?? null,
          placementPageBytes: isAgreed ? (placement?.placementPageBytes ?? null) : null,
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
      push: pushResult(report.push),
      ...this.#requestsResult(report),
      stalls: null,
      machinery: null,
      wire: {
        bytesPerSecond: report.bytesPerSecond,
        peakBytesPerSecond: report.peakBytesPerSecond,
        note: linkNote(report),
      },
      ...linkResult(report),
      marks: { guestStoppedNs: report.guestStoppedNs, guestRunningNs: null },
      guestAtSource:
        stayed === undefined
          ? null
          : { isProved: stayed.isProved, verdict: stayed.verdict, accessesSince: stayed.accessesSince },
      ...(report.error === undefined ? {} : { error: report.error }),
      guest: {
        mmu: outgoing.guest.mmu,
        largestPageBytes: outgoing.guest.guestPageBytes,
        vcpus: this.#guest.vcpus(stayed),
      },
    };
  }

  #requestsResult({ requests, pings }: OutgoingReport): Pick<MigrationResult, 'requests'> {
    if (this.#options.outgoing.logsRequests !== true) return {};
    const names = this.#guest.image.blocks.map(({ name }) => name);
    const entries = requestRecords(requests, names);
    return { requests: { entries, droppedCount: requests.droppedCount, pings } };
  }

  #verdict(
    { hasGivenGuestAway, state }: OutgoingReport,
    stayed: StayedGuest | undefined,
    ramSha256: Record<string, string>,
  ): string {
    if (stayed !== undefined)
      return 'not verified: the migration did not complete, and the guest went on at the source';
    if (!hasGivenGuestAway) return 'not verified: the migration did not complete, and nothing runs here';
    if (this.#options.recordedDevices === undefined)
      return 'the guest left; its RAM is proved at the destination';
    if (Object.keys(ramSha256).length > 0)
      return 'a recorded machine left; the hash of its RAM at the switchover is given';
    return `a recorded machine left; its RAM was not hashed: ${state === 'completed' ? '--no-verify was given' : 'the migration did not complete'}`;
  }
}

function statusOf({ state, error }: OutgoingReport): MigrationResult['status'] {
  if (state === 'completed' || state === 'cancelled' || state === 'postcopy-paused') return state;
  return error?.code === 'cancelled' ? 'cancelled' : 'failed';
}

function linkNote({ link }: OutgoingReport): string {
  if (link === undefined) return 'as achieved by this migration, not shaped';
  return `emulated, ${formatBitRate(link.forward.bytesPerSecond)}; the rate above is that at which its queue was filled`;
}

function linkResult({ link, roundTrips }: OutgoingReport): Pick<MigrationResult, 'link'> {
  if (link === undefined) return {};
  const { forward, returnPath } = link;
  const roundTrip = { ...roundTrips, askedNs: forward.delayNs + returnPath.delayNs };
  const changed = link.changes === 0 ? '' : '; of the link since it was changed during the run';
  return { link: { forward, returnPath, roundTrip, verdict: linkVerdict(forward, returnPath) + changed } };
}

function phaseDurations({ phaseStartsNs, endNs }: OutgoingReport): Record<string, number> {
  return Object.fromEntries(
    phaseStartsNs
      .map(([name, startNs], index) => [name, (phaseStartsNs[index + 1]?.[1] ?? endNs) - startNs] as const)
      .filter(([name]) => name !== 'end'),
  );
}
