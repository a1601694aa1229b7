// All that is known of one run, in order of time: what each end said of itself, and of the guest.
import {
  END_NAMES,
  type EndFrame,
  type EndName,
  type FaultsFrame,
  type HelloFrame,
  type NegotiationFrame,
  type PassFrame,
  type RatesFrame,
  type RecordsFrame,
  type ResultFrame,
  type StallsFrame,
  type StateFrame,
  type TotalsFrame,
  type VcpusFrame,
} from './frame.ts';
import { MapTrack } from './map-track.ts';
import { StallLane } from './stall-lanes.ts';
import { thinOut } from './time-order.ts';

/** Items kept of each kind; older ones are thinned out. */
const MOST = { rates: 36_000, vcpus: 12_000, stalls: 8000, passes: 2000, states: 400, records: 600 } as const;
/** A frame that is so much later than the one before is not believed. */
const MOST_GAP_NS = 24 * 3600e9;

/** One end over time. */
export class EndModel {
  hello: HelloFrame | undefined;
  readonly states: StateFrame[] = [];
  readonly negotiations: NegotiationFrame[] = [];
  readonly rates: RatesFrame[] = [];
  readonly totals: TotalsFrame[] = [];
  readonly vcpus: VcpusFrame[] = [];
  readonly stalls: StallsFrame[] = [];
  readonly passes: PassFrame[] = [];
  readonly records: RecordsFrame[] = [];
  readonly results: ResultFrame[] = [];
  readonly pages: MapTrack;
  /** Of the last frame. */
  lastAt: number | undefined;
  #lastSeq: number | undefined;
  /** Frames that never came here, as gaps of `seq` tell. */
  missedFrames = 0;

  constructor(end: EndName) {
    this.pages = new MapTrack(end === 'source' ? 8 : 0);
  }

  /** Counts what was dropped before this frame. */
  countGap(seq: number): void {
    if (this.#lastSeq !== undefined && seq > this.#lastSeq + 1) this.missedFrames += seq - this.#lastSeq - 1;
    this.#lastSeq = seq;
  }
}

/** One run of both ends. */
export class RunModel {
  readonly ends: Readonly<Record<EndName, EndModel>> = {
    source: new EndModel('source'),
    destination: new EndModel('destination'),
  };
  readonly lanes: StallLane[] = [];
  /** Stalls that the feed did not list, for there were too many. */
  unlistedStalls = 0;
  refused = 0;
  lastRefusal = '';
  /** Grows with each frame. */
  version = 0;
  #startAt: number | undefined;

  /** Time of the first frame, monotonic ns. */
  get startAt(): number {
    return this.#startAt ?? 0;
  }

  /** Time of the last frame of either end. */
  get endAt(): number {
    return Math.max(this.startAt, ...END_NAMES.map((end) => this.ends[end].lastAt ?? 0));
  }

  /** Whether anything came. */
  get hasBegun(): boolean {
    return this.#startAt !== undefined;
  }

  /** Whether the end that matters has said how it ended. */
  get isOver(): boolean {
    const joined = END_NAMES.map((end) => this.ends[end]).filter((end) => end.hello !== undefined);
    return joined.length > 0 && joined.every((end) => end.results.length > 0);
  }

  /** Notes that a frame could not be taken. */
  refuse(fault: string): void {
    this.refused += 1;
    this.lastRefusal = fault;
    this.version += 1;
  }

  /** Takes a frame. */
  take(frame: EndFrame): void {
    const end = this.ends[frame.end];
    if (frame.kind !== 'hello' && end.hello === undefined) {
      this.refuse(`a ${frame.kind} before any hello`);
      return;
    }
    const known = end.lastAt ?? this.#startAt;
    if (known !== undefined && frame.at > known + MOST_GAP_NS) {
      this.refuse('it is of another day');
      return;
    }
    // Snapshots repeat what is older; nothing here may go back in time.
    const at = Math.max(frame.at, end.lastAt ?? 0);
    end.lastAt = at;
    this.#startAt = Math.min(this.#startAt ?? at, at);
    end.countGap(frame.seq);
    this.version += 1;
    this.#sort(end, frame.at === at ? frame : { ...frame, at });
  }

  #sort(end: EndModel, frame: EndFrame): void {
    switch (frame.kind) {
      case 'hello':
        end.hello = frame;
        end.pages.layout(frame.blocks);
        break;
      case 'state': {
        const last = end.states.at(-1);
        if (last?.state !== frame.state || last.reason !== frame.reason) keep(end.states, frame, MOST.states);
        break;
      }
      case 'negotiation':
        keep(end.negotiations, frame, MOST.states);
        break;
      case 'pages': {
        const fault = end.pages.take(frame);
        if (fault !== undefined) this.refuse(fault);
        break;
      }
      case 'vcpus':
        keep(end.vcpus, frame, MOST.vcpus);
        break;
      case 'faults':
        this.#takeFaults(frame);
        break;
      case 'rates':
        keep(end.rates, frame, MOST.rates);
        break;
      case 'totals':
        keep(end.totals, frame, MOST.rates);
        break;
      case 'stalls':
        keep(end.stalls, frame, MOST.stalls);
        break;
      case 'pass':
        // A snapshot tells passes again.
        if (!end.passes.some((pass) => pass.index === frame.index)) keep(end.passes, frame, MOST.passes);
        break;
      case 'records':
        end.records.push(frame);
        if (end.records.length > MOST.records) end.records.splice(0, MOST.records / 4);
        break;
      case 'result':
        keep(end.results, frame, MOST.states);
        break;
      default: // an answer to a viewer is no part of a run
    }
  }

  #takeFaults(frame: FaultsFrame): void {
    this.unlistedStalls += frame.dropped;
    const inOrder = frame.list.toSorted((a, b) => a.fault - b.fault); // the feed gives them in no order
    for (const fault of inOrder) {
      this.lanes[fault.vcpu] ??= new StallLane();
      for (let i = 0; i < fault.vcpu; i += 1) this.lanes[i] ??= new StallLane();
      if (!this.lanes[fault.vcpu]!.take(fault)) this.unlistedStalls += 1;
    }
  }
}

function keep<T>(list: T[], frame: T, most: number): void {
  list.push(frame);
  thinOut(list, most);
}
