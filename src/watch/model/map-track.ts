// The pages of one end over time: the state now, at any moment before, and the history of one page.
import type { BlockLayout, PagesFrame } from './frame.ts';
import { eachRun, MAX_BLOCK_ENTRIES, PageMap, RUN_BYTES, UNCHANGED } from './page-map.ts';
import { countUntil } from './time-order.ts';

/** Runs kept to be played again; beyond it the oldest are forgotten. */
const MOST_RUN_BYTES = 96 * 2 ** 20;
/** States kept as a whole to start playing from. */
const MOST_CHECKPOINT_BYTES = 64 * 2 ** 20;
/** Runs and frames that are played at most from one checkpoint to any moment after it. */
const CHECKPOINT_RUN_BYTES = 2 ** 20;
const CHECKPOINT_FRAMES = 150;
/** Runs that a look for the history of a page reads at most. */
const MOST_HISTORY_RUNS = 2_000_000;

interface Checkpoint {
  /** Frames before it. */
  readonly index: number;
  readonly at: number;
  readonly maps: ReadonlyMap<string, { readonly unitBytes: number; readonly states: Uint8Array }>;
}

/** One change of a page. */
export interface PageChange {
  readonly at: number;
  readonly state: number;
}

/** The pages of one end. */
export class MapTrack {
  /** The state now. */
  readonly now = new Map<string, PageMap>();
  /** What a page is before anything is told of it: missing at the destination, to be sent at the source. */
  readonly #fill: number;
  #lengths = new Map<string, number>();
  #frames: PagesFrame[] = [];
  #runBytes = 0;
  #checkpoints: Checkpoint[] = [{ index: 0, at: 0, maps: new Map() }];
  #sinceCheckpoint = { bytes: 0, frames: 0 };
  #shown = new Map<string, PageMap>();
  #shownIndex = -1;

  constructor(fill: number) {
    this.#fill = fill;
  }

  /** Learns which blocks there are; pages of others are refused. */
  layout(blocks: readonly BlockLayout[]): void {
    this.#lengths = new Map(blocks.map((block) => [block.name, block.lengthBytes]));
    for (const name of this.now.keys()) if (!this.#lengths.has(name)) this.now.delete(name);
  }

  /** Takes a frame; returns why it is refused, if it is. */
  take(frame: PagesFrame): string | undefined {
    const lengthBytes = this.#lengths.get(frame.block);
    if (lengthBytes === undefined) return `there is no block '${frame.block.slice(0, 40)}'`;
    const entries = Math.ceil(lengthBytes / frame.unitBytes);
    if (!(entries >= 1 && entries <= MAX_BLOCK_ENTRIES)) return `${entries} entries of ${frame.block}`;
    if (this.#entriesBeside(frame.block) + entries > MAX_BLOCK_ENTRIES)
      return 'too many entries of all blocks';
    const map = mapFor(this.now, frame, entries, this.#fill);
    const fault = map.faultOf(frame.runs, frame.first);
    if (fault !== undefined) return fault;
    map.apply(frame.runs, frame.first);
    this.#frames.push(frame);
    this.#runBytes += frame.runs.length;
    this.#sinceCheckpoint.bytes += frame.runs.length;
    this.#sinceCheckpoint.frames += 1;
    const { bytes, frames } = this.#sinceCheckpoint;
    if (bytes >= CHECKPOINT_RUN_BYTES || frames >= CHECKPOINT_FRAMES) this.#keepCheckpoint(frame.at);
    if (this.#runBytes > MOST_RUN_BYTES) this.#forgetOldest();
    return undefined;
  }

  #entriesBeside(name: string): number {
    let sum = 0;
    for (const [other, map] of this.now) if (other !== name) sum += map.states.length;
    return sum;
  }

  #keepCheckpoint(at: number): void {
    const maps = new Map(
      [...this.now].map(([name, { unitBytes, states }]) => [name, { unitBytes, states: states.slice() }]),
    );
    this.#checkpoints.push({ index: this.#frames.length, at, maps });
    this.#sinceCheckpoint = { bytes: 0, frames: 0 };
    const each = [...this.now.values()].reduce((sum, map) => sum + map.states.length, 0);
    const most = Math.max(4, Math.floor(MOST_CHECKPOINT_BYTES / Math.max(1, each)));
    // The first stays: nothing before it can be shown.
    if (this.#checkpoints.length > most) {
      this.#checkpoints = this.#checkpoints.filter((_, index) => index === 0 || index % 2 === 0);
    }
  }

  /** Forgets what came before the second checkpoint. */
  #forgetOldest(): void {
    const next = this.#checkpoints[1];
    if (next === undefined) return;
    for (const frame of this.#frames.splice(0, next.index)) this.#runBytes -= frame.runs.length;
    this.#checkpoints = this.#checkpoints
      .slice(1)
      .map((checkpoint) => ({ ...checkpoint, index: checkpoint.index - next.index }));
    this.#shownIndex = -1;
  }

  /** The state at a moment. The maps are the same objects at each call, changed. */
  stateAt(at: number): ReadonlyMap<string, PageMap> {
    const target = countUntil(this.#frames, at, (frame) => frame.at);
    if (target === this.#frames.length) return this.now;
    const checkpoint = this.#checkpointBefore(target);
    if (this.#shownIndex > target || this.#shownIndex < checkpoint.index) this.#restore(checkpoint);
    for (; this.#shownIndex < target; this.#shownIndex += 1) {
      const frame = this.#frames[this.#shownIndex]!;
      const entries = this.now.get(frame.block)?.states.length;
      if (entries === undefined) continue; // of a layout that was given up
      const map = mapFor(this.#shown, frame, entries, this.#fill);
      if (map.faultOf(frame.runs, frame.first) === undefined) map.apply(frame.runs, frame.first);
    }
    return this.#shown;
  }

  #checkpointBefore(index: number): Checkpoint {
    return this.#checkpoints[countUntil(this.#checkpoints, index, (checkpoint) => checkpoint.index) - 1]!;
  }

  #restore(checkpoint: Checkpoint): void {
    for (const [name, now] of this.now) {
      const kept = checkpoint.maps.get(name);
      const unitBytes = kept?.unitBytes ?? now.unitBytes;
      const entries = kept?.states.length ?? now.states.length;
      let shown = this.#shown.get(name);
      if (shown === undefined || shown.unitBytes !== unitBytes || shown.states.length !== entries) {
        shown = new PageMap(unitBytes, entries, this.#fill);
        this.#shown.set(name, shown);
      }
      shown.restore(kept?.states ?? new Uint8Array(entries).fill(this.#fill));
    }
    this.#shownIndex = checkpoint.index;
  }

  /** What became of one entry, oldest first, up to a moment; at most `most` changes, the newest. */
  historyOf(block: string, entry: number, until: number, most: number): PageChange[] {
    const seen: PageChange[] = [];
    let budget = MOST_HISTORY_RUNS;
    for (let i = countUntil(this.#frames, until, (frame) => frame.at) - 1; i >= 0 && budget > 0; i -= 1) {
      const frame = this.#frames[i]!;
      if (frame.block !== block || frame.first > entry) continue;
      budget -= frame.runs.length / RUN_BYTES;
      eachRun(frame.runs, frame.first, (state, from, count) => {
        if (entry >= from + count) return true;
        if (state !== UNCHANGED) seen.push({ at: frame.at, state });
        return false;
      });
    }
    seen.reverse();
    // A snapshot says again what was known.
    const changes = seen.filter((change, index) => change.state !== seen[index - 1]?.state);
    return changes.slice(-most);
  }
}

/** The map of a frame's block, made anew where its unit changed. */
function mapFor(maps: Map<string, PageMap>, frame: PagesFrame, entries: number, fill: number): PageMap {
  const found = maps.get(frame.block);
  if (found !== undefined && found.unitBytes === frame.unitBytes && found.states.length === entries)
    return found;
  const made = new PageMap(frame.unitBytes, entries, fill);
  maps.set(frame.block, made);
  return made;
}
