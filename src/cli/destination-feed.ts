// Joins a destination to its feed: what it tells becomes frames.
import type { Destination, DestinationEvents } from '../destination/run-destination.ts';
import { DestinationRun } from '../feed/destination-run.ts';
import { FeedHub } from '../feed/feed-hub.ts';
import type { ControlMessage, RunState } from '../feed/feed-messages.ts';
import { RunMetrics } from '../feed/run-metrics.ts';
import type { MigrationResult } from '../telemetry/result.ts';
import type { FeedPlan } from './feed-options.ts';

/** States that a viewer knows, by the phases of a destination. */
const SHOWN: Readonly<Record<string, RunState>> = {
  'wait for a source': 'waiting',
  setup: 'setup',
  precopy: 'active',
  device: 'device',
  'postcopy-active': 'postcopy-active',
};

/** The feed of a destination, over all its runs. */
export class DestinationFeed {
  readonly hub: FeedHub;
  readonly metrics: RunMetrics;
  #destination: Destination | undefined;
  #run: DestinationRun | undefined;
  /** The run of a destination that listens again: it is told of when a source comes, and what came before stays to be seen till then. */
  #next: DestinationRun | undefined;
  #state: RunState = 'waiting';

  constructor(plan: FeedPlan) {
    this.hub = new FeedHub('destination', plan.rights);
    this.metrics = new RunMetrics('destination', this.hub);
  }

  /** Begins to tell of a destination that is about to run. */
  watch(destination: Destination, channels: number): void {
    const { guest } = destination;
    this.#destination = destination;
    const run = new DestinationRun({
      figures: destination.figures!,
      channels,
      lanes: () => guest.lanes,
      waiting: (line) => guest.board.waiting(line),
      control: () => guest.control,
      floorNs: (pageBytes) => destination.floorNs(pageBytes),
    });
    run.onFault = (fault) => this.metrics.addFault(fault);
    if (this.#run === undefined) this.#begin(run);
    else this.#next = run;
  }

  #begin(run: DestinationRun): void {
    this.#run = run;
    this.#next = undefined;
    this.hub.begin(run);
    this.#enter('waiting');
  }

  /** What the feed wants to hear of the destination. */
  events(): DestinationEvents {
    return {
      onConnected: () => {
        if (this.#next !== undefined) this.#begin(this.#next);
      },
      onProgress: ({ phase }) => {
        const state = this.#next === undefined ? SHOWN[phase] : undefined;
        if (state !== undefined && state !== this.#state) this.#enter(state);
      },
      onRam: (image, isNegotiated) => {
        this.#run!.take(image);
        this.hub.refresh();
        this.hub.tell({
          kind: 'negotiation',
          outcome: isNegotiated ? 'negotiated' : 'legacy',
          blocks: image.blocks.map(({ name, hostPageBytes, spec }) => ({
            name,
            sourceHostPage: null,
            destinationHostPage: spec.wholePageBytes ?? hostPageBytes,
            placementPage: hostPageBytes,
          })),
          amplified: null,
        });
      },
      onRecords: (lines, skipped) => this.hub.tell({ kind: 'records', list: [...lines], skipped }),
    };
  }

  /** Tells what came of it. */
  finish(result: MigrationResult): void {
    this.#destination = undefined;
    const hasBegun = this.#next === undefined;
    this.#next = undefined;
    if (!hasBegun) return; // nobody came: there is nothing to tell of
    this.hub.settle();
    this.hub.tell(this.#run!.stalls());
    this.#enter(result.status, result.error?.message);
    this.hub.tell({ kind: 'result', result: { ...result } });
  }

  /** Does what a viewer asks for; returns why not. */
  control({ action }: ControlMessage): string | undefined {
    if (action !== 'cancel') return `only the source can do that: ${action}`;
    if (this.#destination === undefined) return `there is nothing to cancel in the state ${this.#state}`;
    if (this.#state === 'postcopy-active') return 'the guest is here: cancelling now would lose it';
    this.#destination.cancel();
    return undefined;
  }

  #enter(state: RunState, reason?: string): void {
    this.#state = state;
    this.hub.tell({ kind: 'state', state, ...(reason === undefined ? {} : { reason }) });
  }
}
