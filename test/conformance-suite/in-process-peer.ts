// What in-process peers have in common: an end that is told once, and a stop that leaves nothing behind.
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Peer, PeerEnd } from '../../src/conformance/peer.ts';

/** After its last word a peer waits so long for the other end to close. */
const LINGER_MS = 100;
/** A process takes longer from its last word to its end. */
const GRACE_MS = 15;
const TURNS = 5;

/** A peer of the suite that runs in this process. */
export abstract class InProcessPeer implements Peer {
  readonly ended: Promise<PeerEnd>;
  hasEnded = false;
  readonly #actions: (() => void)[] = [];
  #resolve!: (end: PeerEnd) => void;
  #isFinishing = false;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Drops its connections. */
  protected abstract shutDown(): void;

  /** Something to be undone at the end. */
  protected atEnd(action: () => void): void {
    this.#actions.push(action);
  }

  /** Tells how it ended, when all that it said has been read, or soon. */
  protected finish(end: PeerEnd, said: Promise<void> | undefined): void {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    const late = new Promise<void>((resolve) => setTimeout(resolve, LINGER_MS));
    const read = said?.catch(() => undefined) ?? Promise.resolve();
    // Else it would have ended before anybody could see that it closed first.
    void Promise.race([read, late]).then(async () => {
      await sleep(GRACE_MS);
      // However late it is by now: the other end has had its turns to read.
      for (let turn = 0; turn < TURNS; turn += 1) await nextTurn();
      this.#finish(end);
    });
  }

  #finish(end: PeerEnd): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.shutDown();
    for (const action of this.#actions) action();
    this.#resolve(end);
  }

  stop(): Promise<PeerEnd> {
    // One that ends is given the time to; one that does not has told nothing.
    if (!this.#isFinishing) {
      this.#finish({
        exitCode: undefined,
        status: undefined,
        ramSha256: undefined,
        guestRuns: undefined,
        lastWords: '',
      });
    }
    return this.ended;
  }
}
