// What an end tells its viewers, as metrics for Prometheus: the same parts, counted over all runs.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { FaultRecord } from '../telemetry/fault-record.ts';
import { LATENCY_BUCKET_COUNT, latencyBucketStartUs } from '../telemetry/latency-buckets.ts';
import type { FeedHub, FeedPart } from './feed-hub.ts';
import { type FeedBody, type FeedKind, RUN_STATES } from './feed-messages.ts';

/** Every metric, once: docs/metrics.md and the metrics themselves come from here. Each has the label `end` too. */
export const METRICS = {
  postcopy_wire_bytes_total: {
    type: 'counter',
    labels: [],
    help: 'Bytes on the wire from source to destination, on all channels.',
  },
  postcopy_pages_total: {
    type: 'counter',
    labels: ['kind'],
    help: 'Target pages that passed, by kind: precopy, background, requested; and of these zero; discarded; duplicate.',
  },
  postcopy_page_requests_total: {
    type: 'counter',
    labels: [],
    help: 'Page requests: written at a destination, read at a source.',
  },
  postcopy_faults_total: {
    type: 'counter',
    labels: [],
    help: 'Faults that ended: a vCPU waited for a page and ran again.',
  },
  postcopy_stall_seconds: {
    type: 'histogram',
    labels: [],
    help: 'How long each fault kept its vCPU, in the buckets of QEMU.',
  },
  postcopy_stall_floor_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Time that the wire alone needs for the largest page.',
  },
  postcopy_vcpus: {
    type: 'gauge',
    labels: ['state'],
    help: 'vCPUs that run, that wait for a page, that stand still.',
  },
  postcopy_memory_bytes: { type: 'gauge', labels: [], help: 'Memory of the guest.' },
  postcopy_present_bytes: {
    type: 'gauge',
    labels: [],
    help: 'Memory that is present at a destination, or sent and clean at a source.',
  },
  postcopy_dirty_bytes: {
    type: 'gauge',
    labels: [],
    help: 'Memory that a source is to send, or to send again.',
  },
  postcopy_state: {
    type: 'gauge',
    labels: ['state'],
    help: '1 for the state of the migration, 0 for all others.',
  },
  postcopy_push_paused: { type: 'gauge', labels: [], help: '1 while a source pushes nothing.' },
  postcopy_precopy_passes_total: { type: 'counter', labels: [], help: 'Precopy passes that ended.' },
  postcopy_expected_downtime_seconds: {
    type: 'gauge',
    labels: ['formula'],
    help: 'Expected downtime after the last pass, by the formula of QEMU: remaining (since 3.0) or dirty_rate (before).',
  },
  postcopy_migrations_total: { type: 'counter', labels: ['status'], help: 'Migrations that ended, by how.' },
  postcopy_feed_viewers: { type: 'gauge', labels: [], help: 'Viewers of the feed.' },
  postcopy_feed_dropped_frames_total: {
    type: 'counter',
    labels: [],
    help: 'Frames that slow viewers did not get.',
  },
} as const satisfies Record<
  string,
  { type: 'counter' | 'gauge' | 'histogram'; labels: readonly string[]; help: string }
>;

type MetricName = keyof typeof METRICS;
type NameOf<T> = { [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never }[MetricName];

/** Upper bounds in seconds of all but the last of QEMU's buckets. */
const BUCKETS = Array.from(
  { length: LATENCY_BUCKET_COUNT - 1 },
  (_, bucket) => latencyBucketStartUs(bucket + 1) / 1e6,
);
/** Of the totals, what each is counted as. */
const COUNTED: readonly (readonly [keyof FeedBody<'totals'>, NameOf<'counter'>, Record<string, string>])[] = [
  ['wire', 'postcopy_wire_bytes_total', {}],
  ['precopyPages', 'postcopy_pages_total', { kind: 'precopy' }],
  ['backgroundPages', 'postcopy_pages_total', { kind: 'background' }],
  ['requestedPages', 'postcopy_pages_total', { kind: 'requested' }],
  ['zeroPages', 'postcopy_pages_total', { kind: 'zero' }],
  ['discardedPages', 'postcopy_pages_total', { kind: 'discarded' }],
  ['duplicatePages', 'postcopy_pages_total', { kind: 'duplicate' }],
  ['requests', 'postcopy_page_requests_total', {}],
  ['faults', 'postcopy_faults_total', {}],
];

/** Metrics of one end. */
export class RunMetrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #stalls: Histogram;
  readonly #hub: FeedHub;
  /** What comes at every tick is kept as plain numbers, and reckoned up when somebody reads it. */
  readonly #latest = new Map<FeedKind, FeedPart>();
  readonly #uncounted = COUNTED.map(() => 0);
  #before: FeedBody<'totals'> | undefined;
  #droppedBefore = 0;

  /** Listens to all that the hub makes. */
  constructor(end: 'source' | 'destination', hub: FeedHub) {
    this.#hub = hub;
    const registers = [this.#registry];
    this.#registry.setDefaultLabels({ end });
    for (const [name, { type, labels, help }] of Object.entries(METRICS)) {
      const options = { name, help, labelNames: [...labels], registers };
      if (type === 'counter') this.#counters.set(name, new Counter(options));
      else if (type === 'gauge') this.#gauges.set(name, new Gauge(options));
    }
    const name = 'postcopy_stall_seconds';
    this.#stalls = new Histogram({ name, help: METRICS[name].help, buckets: BUCKETS, registers });
    hub.onPart = (part) => this.#take(part);
  }

  /** A fault ended. */
  addFault({ faultNs, resumedNs }: FaultRecord): void {
    this.#stalls.observe((resumedNs - faultNs) / 1e9);
  }

  /** What Prometheus reads, and its content type. */
  async print(): Promise<{ readonly text: string; readonly contentType: string }> {
    for (const part of this.#latest.values()) this.#apply(part);
    for (const [index, [, name, labels]] of COUNTED.entries()) {
      this.#count(name, this.#uncounted[index]!, labels);
      this.#uncounted[index] = 0;
    }
    this.#set('postcopy_feed_viewers', this.#hub.viewerCount);
    this.#count('postcopy_feed_dropped_frames_total', this.#hub.droppedFrames - this.#droppedBefore);
    this.#droppedBefore = this.#hub.droppedFrames;
    return { text: await this.#registry.metrics(), contentType: this.#registry.contentType };
  }

  #take(part: FeedPart): void {
    if (part.kind === 'totals') this.#takeTotals(part);
    if (part.kind === 'totals' || part.kind === 'rates' || part.kind === 'vcpus') {
      this.#latest.set(part.kind, part);
    } else {
      this.#apply(part);
    }
  }

  #apply(part: FeedPart): void {
    switch (part.kind) {
      case 'totals':
        this.#set('postcopy_memory_bytes', part.totalBytes);
        this.#set('postcopy_present_bytes', part.presentBytes);
        return;
      case 'rates':
        this.#set('postcopy_dirty_bytes', part.dirty);
        this.#set('postcopy_push_paused', part.pushPaused ? 1 : 0);
        return;
      case 'vcpus': {
        const running = part.list.filter((vcpu) => vcpu.running).length;
        const waiting = part.list.filter(({ block }) => block !== undefined).length;
        this.#set('postcopy_vcpus', running, { state: 'running' });
        this.#set('postcopy_vcpus', waiting, { state: 'waiting' });
        this.#set('postcopy_vcpus', part.list.length - running - waiting, { state: 'stopped' });
        return;
      }
      case 'state':
        for (const state of RUN_STATES) this.#set('postcopy_state', state === part.state ? 1 : 0, { state });
        return;
      case 'stalls':
        if (part.floor !== null) this.#set('postcopy_stall_floor_seconds', part.floor / 1e9);
        return;
      case 'pass':
        this.#count('postcopy_precopy_passes_total', 1);
        this.#setDowntime('remaining', part.expectedDowntimeNew);
        this.#setDowntime('dirty_rate', part.expectedDowntimeOld);
        return;
      case 'result':
        this.#count('postcopy_migrations_total', 1, { status: String(part.result['status']) });
        return;
      default:
        return; // told to viewers only
    }
  }

  /** They begin anew with each run, and a counter never does. */
  #takeTotals(totals: FeedBody<'totals'>): void {
    for (const [index, [key]] of COUNTED.entries()) {
      const before = this.#before?.[key] ?? 0;
      this.#uncounted[index]! += totals[key] >= before ? totals[key] - before : totals[key];
    }
    this.#before = totals;
  }

  #setDowntime(formula: string, ns: number | null): void {
    if (ns !== null) this.#set('postcopy_expected_downtime_seconds', ns / 1e9, { formula });
  }

  #count(name: NameOf<'counter'>, value: number, labels: Record<string, string> = {}): void {
    this.#counters.get(name)!.inc(labels, value);
  }

  #set(name: NameOf<'gauge'>, value: number, labels: Record<string, string> = {}): void {
    this.#gauges.get(name)!.set(labels, value);
  }
}
