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
import type { LinkSpec } from '../transport/link-spec.ts';
import type { ChannelUri } from '../transport/uri.ts';
import type { DeviceSection } from './device-sections.ts';
import { type BuiltGuest, GuestAtSource, type RecordedGuest, type StayedGuest } from './guest-at-source.ts';
import type { OutgoingOptions } from './outgoing.ts';
import type { OutgoingReport, OutgoingThreadData, ToMain, ToOutgoingThread } from './outgoing-messages.ts';
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
  readonly maxBandwidth: number;
  readonly maxPostcopyBandwidth: number;
  /** The link to emulate; undefined takes the one there is. */
  readonly link: LinkSpec | undefined;
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

/** A running source. */
export class Source {
  readonly #options: SourceOptions;
  readonly #events: SourceEvents;
  readonly #guest: GuestAtSource;
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
  }

  /** Migrates the guest. Errors of the migration are in the result, not thrown. */
  async run(): Promise<MigrationResult> {
    const { warmUpMs, verify } = this.#options;
    const guest = this.#guest;
    await guest.start();
    if (guest.runsHere)
      await sleep(warmUpMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
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
    const message: ToOutgoingThread = { kind: 'cancel', force };
    this.#worker?.postMessage(message);
  }

  async #send(): Promise<OutgoingReport> {
    const { uri, outgoing, profile, timeoutMs, maxBandwidth, maxPostcopyBandwidth, link, recordPath } =
      this.#options;
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
      maxBandwidth,
      maxPostcopyBandwidth,
      link,
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
  return { link: { forward, returnPath, roundTrip, verdict: linkVerdict(forward, returnPath) } };
}

function phaseDurations({ phaseStartsNs, endNs }: OutgoingReport): Record<string, number> {
  return Object.fromEntries(
    phaseStartsNs
      .map(([name, startNs], index) => [name, (phaseStartsNs[index + 1]?.[1] ?? endNs) - startNs] as const)
      .filter(([name]) => name !== 'end'),
  );
}
