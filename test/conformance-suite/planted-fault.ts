// What a planted fault is: a name for people, the change to a good peer, and the rules that have to catch it.
import type { DestinationFault } from './destination-in-process.ts';
import type { SourceFault } from './source-in-process.ts';

/** A fault of one end. */
export interface Planted<F> {
  /** What the peer does: `answers no PING`. */
  readonly what: string;
  readonly fault: F;
  /** Rules that catch it, each of which must. */
  readonly caughtBy: readonly string[];
}

export type PlantedDestination = Planted<DestinationFault>;
export type PlantedSource = Planted<SourceFault>;
