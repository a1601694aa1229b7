// The peer under test as the suite sees it: something that is started, reached by a URI, and ends.
import type { ChannelUri } from '../transport/uri.ts';

/** How a peer ended, as far as it told. */
export interface PeerEnd {
  /** Exit code; null if it was ended by a signal, undefined if it did not end by itself, or is no process of ours. */
  readonly exitCode: number | null | undefined;
  /** Status of the migration: `completed`, `failed`, `postcopy-paused`, …; undefined if it did not tell. */
  readonly status: string | undefined;
  /** SHA-256 of each RAM block in hexadecimal; undefined if it did not tell. */
  readonly ramSha256: Readonly<Record<string, string>> | undefined;
  /** Whether its guest runs now; undefined if it did not tell. */
  readonly guestRuns: boolean | undefined;
  /** The last that it said on stderr, for a person. */
  readonly lastWords: string;
}

/** A peer that is running, or has ended. */
export interface Peer {
  /** Resolves when it has ended, by itself or by `stop`. Never rejects. */
  readonly ended: Promise<PeerEnd>;
  readonly hasEnded: boolean;
  /** It is no process of ours: nobody sees it end, and a run is over when it has closed its connections. */
  readonly isForeign?: true;
  /** Ends it, if it has not ended; resolves when nothing of it is left. */
  stop(): Promise<PeerEnd>;
}

/** Where peers come from. */
export interface PeerSource {
  /** Address of a peer that runs already; undefined where each run gets a new peer at an address of its own. */
  readonly fixedUri: ChannelUri | undefined;
  /** Scheme of the addresses that are made up. */
  readonly scheme: 'unix' | 'tcp';
  hasVariant(variant: string): boolean;
  /** Starts a peer for `uri`; `variant` starts it in another way than usual, such as `preempt`. */
  start(uri: ChannelUri, variant: string | undefined): Peer;
}
