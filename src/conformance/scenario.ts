// What a scenario is: one run of the peer, and what the suite does at the other end of it.
import type { Exchange } from './exchange.ts';
import type { PeerEnd } from './peer.ts';
import type { Stage } from './stage.ts';

/**
 * One run of the peer. A scenario of the destination role is usually made by `scripted` (play-script.ts); one of the
 * source role accepts the connections of the peer and answers (source-scenario.ts). The suite performs each scenario
 * object once, whoever judges its run.
 */
export interface Scenario {
  /** Unique, for reports. */
  readonly name: string;
  /** How the peer must be started for it, if not as usual: `--variant NAME='COMMAND'`. */
  readonly variant?: string;
  /** Plays the suite's end. Returns what it waited for in vain, if it did. */
  play(stage: Stage): Promise<string | undefined>;
}

/** What came of a scenario. */
export interface Run {
  readonly exchange: Exchange;
  readonly end: PeerEnd;
  /** What the suite waited for in vain, until it came or the time was over. */
  readonly stalledAt: string | undefined;
  /** Whether the peer closed the main channel before the suite did. */
  readonly peerClosed: boolean;
}

/** A run could not be had: the peer did not start, or cannot be reached. Then its checks are not run. */
export class NoRun extends Error {}
