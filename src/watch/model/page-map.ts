// The state of every page of one RAM block, changed by runs, and which parts of it changed.
import { CODE_COUNT } from './page-codes.ts';

/** Entries of one block, and of all blocks of an end. 16 Mi placement pages of 4 KiB are 64 GiB. */
export const MAX_BLOCK_ENTRIES = 2 ** 24;
/** Bytes of one run: its state, and how many entries. */
export const RUN_BYTES = 5;
/** Entries between two marks of change. */
export const CHUNK_ENTRIES = 1024;

/** State of a run whose entries are as they were. */
export const UNCHANGED = 255;

/** Reads packed runs: calls `visit` with a state, its first entry and its count, until that returns false. */
export function eachRun(
  runs: Uint8Array,
  first: number,
  visit: (state: number, from: number, count: number) => boolean,
): void {
  let from = first;
  for (let at = 0; at + RUN_BYTES <= runs.length; at += RUN_BYTES) {
    const count =
      ((runs[at + 1]! << 24) | (runs[at + 2]! << 16) | (runs[at + 3]! << 8) | runs[at + 4]!) >>> 0;
    const code = runs[at]!;
    const state = code < CODE_COUNT || code === UNCHANGED ? code : 0;
    if (!visit(state, from, count)) return;
    from += count;
  }
}

/** Pages of one block. */
export class PageMap {
  readonly unitBytes: number;
  /** One code an entry. */
  readonly states: Uint8Array;
  /** Entries by code. */
  readonly counts = new Float64Array(CODE_COUNT);
  /** Grows with each change; a chunk whose number is larger than what a painter saw last must be painted again. */
  version = 1;
  readonly chunkVersions: Uint32Array;

  constructor(unitBytes: number, entries: number, fill = 0) {
    this.unitBytes = unitBytes;
    this.states = new Uint8Array(entries).fill(fill);
    this.counts[fill] = entries;
    this.chunkVersions = new Uint32Array(Math.ceil(entries / CHUNK_ENTRIES)).fill(1);
  }

  /** What is wrong with runs for this map; undefined if they fit in it. */
  faultOf(runs: Uint8Array, first: number): string | undefined {
    if (runs.length % RUN_BYTES !== 0) return `${runs.length} bytes are no whole runs`;
    let end = first;
    eachRun(runs, first, (_, from, count) => {
      end = from + count;
      return end <= this.states.length;
    });
    return end <= this.states.length ? undefined : `they end at ${end} of ${this.states.length} entries`;
  }

  /** Puts runs in, which must fit. */
  apply(runs: Uint8Array, first: number): void {
    this.version += 1;
    eachRun(runs, first, (state, from, count) => {
      if (state === UNCHANGED) return true;
      const { states, counts, chunkVersions, version } = this;
      let marked = -1;
      for (let i = from; i < from + count; i += 1) {
        const old = states[i]!;
        if (old === state) continue; // a snapshot tells much that is known
        counts[old]! -= 1;
        counts[state]! += 1;
        states[i] = state;
        const chunk = Math.floor(i / CHUNK_ENTRIES);
        if (chunk !== marked) chunkVersions[chunk] = version;
        marked = chunk;
      }
      return true;
    });
  }

  /** Takes all states of another map, marking only the chunks that differ. */
  restore(states: Uint8Array): void {
    this.version += 1;
    this.counts.fill(0);
    for (let chunk = 0; chunk < this.chunkVersions.length; chunk += 1) {
      const end = Math.min((chunk + 1) * CHUNK_ENTRIES, states.length);
      let differs = false;
      for (let i = chunk * CHUNK_ENTRIES; i < end; i += 1) {
        const state = states[i]!;
        this.counts[state]! += 1;
        if (this.states[i] !== state) {
          this.states[i] = state;
          differs = true;
        }
      }
      if (differs) this.chunkVersions[chunk] = this.version;
    }
  }
}
