// One direction of an emulated link, shared by the channels of a migration. Told the time, it has no timer of its own.
import { LinkClock } from './link-clock.ts';
import { cutIntoQuanta, type Deliver, LinkFlow, Quantum } from './link-flow.ts';
import { type LinkDirectionFigures, LinkMeter } from './link-meter.ts';
import type { LinkDirectionSpec } from './link-spec.ts';

/**
 * Bytes are handed over so finely that the first of a batch do not wait for the last, and no finer than a segment, nor
 * than a turn of the event loop takes with its system calls. A page written alone is a quantum of its own.
 */
const QUANTUM_NS = 20_000;
const LEAST_QUANTUM_BYTES = 1448;
const LARGEST_QUANTUM_BYTES = 64 * 1024;
/** Pieces handed over in one call: as many as one system call takes. */
const CALL_PIECES = 1024;

/** Sends what the channels hand over, and hands it on when it has arrived. */
export class LinkDirection {
  readonly #clock: LinkClock;
  readonly #meter: LinkMeter;
  #quantumBytes: number;
  #flows: LinkFlow[] = [];

  constructor(spec: LinkDirectionSpec) {
    this.#clock = new LinkClock(spec);
    this.#meter = new LinkMeter(spec);
    this.#quantumBytes = quantumOf(spec);
  }

  /** Another rate, delay and queue from now on. */
  reshape(spec: LinkDirectionSpec): void {
    this.#clock.reshape(spec);
    this.#meter.reshape(spec);
    this.#quantumBytes = quantumOf(spec);
  }

  /** Opens a way for one channel. */
  open(deliver: Deliver): LinkFlow {
    const flow = new LinkFlow(deliver);
    this.#flows.push(flow);
    return flow;
  }

  /** Ends it, and forgets what had not arrived. */
  close(flow: LinkFlow): void {
    flow.clear();
    this.#flows = this.#flows.filter((other) => other !== flow);
  }

  /**
   * Bytes to be sent; they must stay as they are until they have arrived. Calls `onTaken` when the queue has them all, at
   * once if it has room. Nothing arrives before `advance`.
   */
  hand(flow: LinkFlow, pieces: readonly Uint8Array[], nowNs: number, onTaken: () => void): void {
    const quanta = cutIntoQuanta(pieces, this.#quantumBytes, nowNs);
    if (quanta.length === 0) quanta.push(new Quantum(nowNs));
    quanta.at(-1)!.onTaken = onTaken;
    for (const quantum of quanta) flow.waiting.push(quantum);
    this.#takeAll(nowNs);
  }

  /** Something to be done when all that was handed over before it has arrived. */
  handMark(flow: LinkFlow, onArrival: () => void, nowNs: number): void {
    flow.waiting.push(new Quantum(nowNs, onArrival));
  }

  /** Does what is due; returns when something will be next, undefined if nothing will without being told. */
  advance(nowNs: number): number | undefined {
    const nextTakenNs = this.#takeAll(nowNs);
    let nextNs = nextTakenNs;
    for (const flow of [...this.#flows]) {
      this.#deliverDue(flow, nowNs);
      const arrivesNs = flow.heldBackSinceNs === undefined ? flow.underWay.first?.arrivesNs : undefined;
      if (arrivesNs !== undefined) nextNs = Math.min(nextNs ?? arrivesNs, arrivesNs);
    }
    return nextNs;
  }

  /** The peer of a channel takes bytes again. */
  resume(flow: LinkFlow, nowNs: number): void {
    if (flow.heldBackSinceNs === undefined) return;
    this.#meter.heldBack(nowNs - flow.heldBackSinceNs);
    flow.heldBackSinceNs = undefined;
    flow.heldBackUntilNs = nowNs;
  }

  /** Whether something waits for room in the queue. */
  get isFull(): boolean {
    return this.#flows.some((flow) => !flow.waiting.isEmpty);
  }

  /** There is nothing more to send for now, unless something waits. */
  pause(): void {
    if (!this.isFull) this.#meter.pause();
  }

  /** What it carried so far. */
  figures(): LinkDirectionFigures {
    return this.#meter.figures();
  }

  /** Takes what there is room for; returns when there will be for the next. */
  #takeAll(nowNs: number): number | undefined {
    for (let flow = this.#nextFlow(); flow !== undefined; flow = this.#nextFlow()) {
      const quantum = flow.waiting.first!;
      // The link would have taken it when it had room, whenever this process came to look.
      const takenNs = Math.max(flow.readyNs!, this.#clock.roomNs(quantum.lengthBytes));
      if (takenNs > nowNs) return takenNs;
      const departure = this.#clock.take(quantum.lengthBytes, takenNs)!;
      quantum.arrivesNs = departure.arrivesNs;
      quantum.stretch = this.#meter.sent(quantum.lengthBytes, departure);
      flow.waiting.shift();
      flow.underWay.push(quantum);
      quantum.onTaken?.();
      // The next turn is another's.
      if (this.#flows.length > 1) this.#flows.push(...this.#flows.splice(this.#flows.indexOf(flow), 1));
    }
    return undefined;
  }

  /** Whose bytes leave next: channels that wait for room take turns, as sockets do before a full queue. */
  #nextFlow(): LinkFlow | undefined {
    let earliestNs = Number.POSITIVE_INFINITY;
    for (const { readyNs } of this.#flows)
      if (readyNs !== undefined) earliestNs = Math.min(earliestNs, readyNs);
    const horizonNs = Math.max(earliestNs, this.#clock.roomNs(this.#quantumBytes));
    return this.#flows.find(({ readyNs }) => readyNs !== undefined && readyNs <= horizonNs);
  }

  #deliverDue(flow: LinkFlow, nowNs: number): void {
    while (flow.heldBackSinceNs === undefined && isDue(flow.underWay.first, nowNs)) {
      const pieces: Uint8Array[] = [];
      let quantum = flow.underWay.first;
      for (; isDue(quantum, nowNs) && pieces.length < CALL_PIECES; quantum = flow.underWay.first) {
        if (quantum.onArrival !== undefined && pieces.length > 0) break; // what it follows is not handed over yet
        flow.underWay.shift();
        for (const piece of quantum.pieces) pieces.push(piece);
        this.#meter.delivered(quantum.lengthBytes, quantum.stretch!, quantum.arrivesNs, nowNs);
        quantum.onArrival?.();
      }
      if (pieces.length > 0 && !flow.deliver(pieces)) flow.heldBackSinceNs = nowNs;
    }
  }
}

function quantumOf({ bytesPerSecond, queueBytes }: LinkDirectionSpec): number {
  const bytes = Math.round((bytesPerSecond * QUANTUM_NS) / 1e9);
  return Math.min(Math.max(LEAST_QUANTUM_BYTES, Math.min(bytes, LARGEST_QUANTUM_BYTES)), queueBytes);
}

function isDue(quantum: Quantum | undefined, nowNs: number): quantum is Quantum {
  return quantum !== undefined && quantum.arrivesNs <= nowNs;
}
