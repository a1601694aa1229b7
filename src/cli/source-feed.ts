// Joins a source to its feed: what it tells becomes frames, and what viewers ask for is done, or refused with a reason.
import { OptionError } from '../errors.ts';
import { FeedHub } from '../feed/feed-hub.ts';
import type { ControlMessage, FeedBody, RunState } from '../feed/feed-messages.ts';
import { RunMetrics } from '../feed/run-metrics.ts';
import { SourceRun } from '../feed/source-run.ts';
import { TARGET_PAGE_BYTES } from '../machine/ram-memory.ts';
import type { OutgoingNews } from '../source/outgoing-messages.ts';
import type { OutgoingState } from '../source/outgoing-states.ts';
import type { Source, SourceEvents, SourceOptions } from '../source/run-source.ts';
import type { MigrationResult } from '../telemetry/result.ts';
import type { LinkSpec } from '../transport/link-spec.ts';
import type { FeedPlan } from './feed-options.ts';
import { parseLink } from './link-options.ts';

/** States that a viewer knows; EOF that has left is a guest between the two ends. */
const SHOWN: Readonly<Record<OutgoingState, RunState>> = {
  setup: 'setup',
  active: 'active',
  device: 'device',
  'postcopy-active': 'postcopy-active',
  'handed-over': 'device',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  'postcopy-paused': 'postcopy-paused',
};

/** The feed of a source, over all its runs. */
export class SourceFeed {
  readonly hub: FeedHub;
  readonly metrics: RunMetrics;
  readonly #plan: FeedPlan;
  #source: Source | undefined;
  #options: SourceOptions | undefined;
  #run: SourceRun | undefined;
  #state: RunState = 'waiting';
  /** Set while a start is awaited. */
  #start: (() => void) | undefined;
  /** Whether one will be, and whether it was asked for before that. */
  #isHeld: boolean;
  #isStartAsked = false;

  constructor(plan: FeedPlan) {
    this.#plan = plan;
    this.#isHeld = plan.rights.hold;
    this.hub = new FeedHub('source', plan.rights);
    this.metrics = new RunMetrics('source', this.hub);
  }

  /** Begins to tell of a source that is about to run. */
  watch(source: Source, options: SourceOptions): void {
    const { image, control } = source.guest;
    const { link, outgoing } = options;
    this.#source = source;
    this.#options = options;
    this.#run = new SourceRun({
      image,
      control,
      figures: source.figures!,
      link: link === undefined ? null : shownLink(link),
      channels: outgoing.preempt === 'none' ? 1 : 2,
    });
    this.hub.begin(this.#run);
    this.#enter('waiting');
  }

  /** What the feed wants to hear of the source. */
  events(): SourceEvents {
    return { onNews: (news) => this.#takeNews(news) };
  }

  /** Waits until a viewer starts the migration, or the signal ends that. */
  async awaitStart(signal: AbortSignal): Promise<void> {
    if (!this.#isStartAsked && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#start = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    this.#start = undefined;
    this.#isHeld = false;
    this.#isStartAsked = false;
  }

  /** Tells what came of it. */
  finish(result: MigrationResult): void {
    this.#source = undefined;
    this.#isHeld = this.#plan.rights.repeat;
    this.hub.settle();
    const placed =
      result.status === 'failed' && result.error !== undefined ? result.error.message : undefined;
    const negotiation = this.hub.last('negotiation');
    if (negotiation !== undefined) this.hub.tell({ ...negotiation, amplified: result.bytes.amplified });
    else if (
      placed !== undefined &&
      result.negotiated.some((block) => block.destinationHostPageBytes !== null)
    )
      this.hub.tell({ kind: 'negotiation', ...refusedNegotiation(result, placed) });
    this.#enter(result.status, result.error?.message);
    this.hub.tell({ kind: 'result', result: { ...result } });
  }

  /** Does what a viewer asks for; returns why not. */
  control(message: ControlMessage): string | undefined {
    switch (message.action) {
      case 'start':
        return this.#doStart();
      case 'switch':
        return this.#doSwitch();
      case 'pause-push':
      case 'resume-push':
        return this.#pausePush(message.action === 'pause-push');
      case 'link':
        return this.#reshape(message);
      case 'cancel':
        return this.#cancel();
    }
  }

  #doStart(): string | undefined {
    if (this.#isHeld && !this.#isStartAsked) {
      this.#isStartAsked = true;
      this.#start?.();
      return undefined;
    }
    if (this.#source !== undefined || this.#isStartAsked) return 'a migration is under way';
    return 'this source migrates once: it has no --repeat';
  }

  #doSwitch(): string | undefined {
    const source = this.#source;
    if (source === undefined || (this.#state !== 'active' && this.#state !== 'setup')) {
      return `only in precopy, and the state is ${this.#state}`;
    }
    if (!this.#options!.outgoing.postcopyRam)
      return 'postcopy was not asked for: the source has --no-postcopy-ram';
    source.switchNow();
    return undefined;
  }

  #pausePush(isPaused: boolean): string | undefined {
    if (this.#source === undefined || this.#state !== 'postcopy-active') {
      return `nothing is pushed in the state ${this.#state}`;
    }
    this.#source.pausePush(isPaused);
    return undefined;
  }

  #reshape({ rate, rtt }: ControlMessage): string | undefined {
    if (this.#source === undefined) return `there is no link in the state ${this.#state}`;
    if (this.#options!.link === undefined) return 'the link is not emulated: the source has no --link';
    if (rate === undefined) return 'expected a rate such as 10gbit, found none';
    try {
      const link = parseLink({ rate, rtt: rtt ?? '0us' });
      this.#source.reshapeLink(link);
      this.#run!.reshape(shownLink(link));
      this.hub.refresh();
      return undefined;
    } catch (error) {
      if (error instanceof OptionError) return error.message;
      throw error;
    }
  }

  #cancel(): string | undefined {
    if (this.#source === undefined) return `there is nothing to cancel in the state ${this.#state}`;
    if (this.#state === 'postcopy-active') return 'the guest has left: cancelling now would lose it';
    this.#source.cancel(false);
    return undefined;
  }

  #takeNews({ state, placements, isNegotiated, passes, lines, skipped }: OutgoingNews): void {
    const run = this.#run!;
    if (placements.length > 0 && this.hub.last('negotiation') === undefined) {
      if (run.agree(placements.map(({ placementPageBytes }) => placementPageBytes))) this.hub.refresh();
      this.hub.tell({
        kind: 'negotiation',
        outcome: isNegotiated ? 'negotiated' : 'legacy',
        blocks: placements.map((placement) => ({
          name: placement.block,
          sourceHostPage: placement.sourceHostPageBytes,
          destinationHostPage: placement.destinationHostPageBytes ?? null,
          placementPage: placement.placementPageBytes,
        })),
        amplified: null,
      });
    }
    if (SHOWN[state] !== this.#state && !isEnd(SHOWN[state])) this.#enter(SHOWN[state]);
    for (const pass of passes) {
      this.hub.tell({
        kind: 'pass',
        index: pass.pass,
        dirtyBytes: pass.pagesDirtied * TARGET_PAGE_BYTES,
        sentBytes: pass.bytesSent,
        remaining: pass.remainingBytes,
        bandwidth: pass.overPass.bandwidthBytesPerSecond,
        expectedDowntimeOld: pass.overPass.expectedDowntimeOldNs,
        expectedDowntimeNew: pass.overPass.expectedDowntimeNs,
      });
    }
    if (lines.length > 0) this.hub.tell({ kind: 'records', list: [...lines], skipped });
  }

  #enter(state: RunState, reason?: string): void {
    this.#state = state;
    this.hub.tell({ kind: 'state', state, ...(reason === undefined ? {} : { reason }) });
  }
}

/** The end is told with the result, which comes a little later. */
function isEnd(state: RunState): boolean {
  return state === 'completed' || state === 'failed' || state === 'cancelled' || state === 'postcopy-paused';
}

function shownLink({ forward, returnPath }: LinkSpec): { bytesPerSecond: number; rttNs: number } {
  return { bytesPerSecond: forward.bytesPerSecond, rttNs: forward.delayNs + returnPath.delayNs };
}

function refusedNegotiation(result: MigrationResult, reason: string): FeedBody<'negotiation'> {
  return {
    outcome: 'refused',
    reason,
    blocks: result.negotiated.map((block) => ({
      name: block.block,
      sourceHostPage: block.sourceHostPageBytes,
      destinationHostPage: block.destinationHostPageBytes,
      placementPage: block.placementPageBytes,
    })),
    amplified: null,
  };
}
