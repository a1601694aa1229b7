// An emulated link: what all channels of a migration share of it.
import type { Channel } from './channel.ts';
import { LinkChannel } from './link-channel.ts';
import { LinkDirection } from './link-direction.ts';
import type { LinkDirectionFigures } from './link-meter.ts';
import type { LinkSpec } from './link-spec.ts';
import { EventLoopTimer, type LinkTimer } from './link-timer.ts';

/**
 * While the queue is full, bytes may be so late: they go together with those that follow them, and each call costs as much
 * as 10 KiB in it. What they keep waiting waits for the queue too, which is longer.
 */
const BULK_LATE_NS = 60_000;

/** What both directions of a link did. */
export interface LinkFigures {
  readonly forward: LinkDirectionFigures;
  readonly returnPath: LinkDirectionFigures;
  /** How often it was made another link; the rates are those since the last time. */
  readonly changes: number;
}

/**
 * One link for all channels of a migration, at its source. What is written is held until it would have arrived, what
 * is read until it would have come.
 */
export class Link {
  readonly #forward: LinkDirection;
  readonly #returnPath: LinkDirection;
  readonly #timer: LinkTimer;
  /** When each direction has something to do next; undefined if it has not. */
  #forwardNs: number | undefined;
  #returnNs: number | undefined;
  #changes = 0;

  constructor(spec: LinkSpec, timer: LinkTimer = new EventLoopTimer()) {
    this.#forward = new LinkDirection(spec.forward);
    this.#returnPath = new LinkDirection(spec.returnPath);
    this.#timer = timer;
    timer.onWake = () => {
      this.#advanceForward();
      this.#advanceReturn();
      this.#plan();
    };
    timer.onQuiet = () => this.#forward.pause();
  }

  /** A channel over this link. It shows no file descriptor, so that no other thread writes past it. */
  wrap(channel: Channel): Channel {
    return new LinkChannel(channel, {
      nowNs: () => this.#timer.nowNs(),
      forward: this.#forward,
      returnPath: this.#returnPath,
      handedForward: () => {
        this.#timer.noteWrite();
        this.#advanceForward();
        this.#plan();
      },
      noteTaken: () => this.#timer.noteWrite(),
      // What is read is handed on in a turn of its own, never out of the call that read it.
      handedBack: () => {
        this.#returnNs = this.#timer.nowNs();
        this.#plan();
      },
    });
  }

  /** Makes it another link from now on. What has left arrives when it was to; what waits leaves at the new rate. */
  reshape(spec: LinkSpec): void {
    this.#changes += 1;
    this.#forward.reshape(spec.forward);
    this.#returnPath.reshape(spec.returnPath);
    this.#advanceForward();
    this.#advanceReturn();
    this.#plan();
  }

  figures(): LinkFigures {
    return {
      forward: this.#forward.figures(),
      returnPath: this.#returnPath.figures(),
      changes: this.#changes,
    };
  }

  #advanceForward(): void {
    this.#forwardNs = this.#forward.advance(this.#timer.nowNs());
  }

  #advanceReturn(): void {
    this.#returnNs = this.#returnPath.advance(this.#timer.nowNs());
    // What the peer has not written yet is not ours to carry.
    this.#returnPath.pause();
  }

  #plan(): void {
    const [forwardNs, returnNs] = [this.#forwardNs, this.#returnNs];
    const nextNs = forwardNs === undefined ? returnNs : Math.min(forwardNs, returnNs ?? forwardNs);
    if (nextNs === undefined || forwardNs === undefined || !this.#forward.isFull) this.#timer.wakeAt(nextNs);
    else this.#timer.wakeAt(nextNs, Math.min(forwardNs + BULK_LATE_NS, returnNs ?? Number.POSITIVE_INFINITY));
  }
}
