// The fuzz targets by name; each is made when it is wanted, for it reads captures.
import { decoderTarget } from './decoder-target.ts';
import { destinationTarget } from './destination-target.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { sourceTarget } from './source-target.ts';

/** All of them. */
export const TARGETS: Readonly<Record<string, () => FuzzTarget>> = {
  decoder: decoderTarget,
  destination: destinationTarget,
  source: sourceTarget,
};
