// How far a sweep is: a bar with the time left on a terminal, a plain line for each run in a pipe.
import { formatNs } from '../../src/cli/format-quantity.ts';
import { Progress, type ProgressStream } from '../../src/cli/progress-bar.ts';
import type { Cell } from './axes.ts';
import { cellKey } from './cell-key.ts';
import { labelCells } from './cell-labels.ts';
import type { PlannedRun } from './plan.ts';
import { isAsExpected, type StoredRun } from './stored-run.ts';
import type { SweepEvents } from './sweep.ts';

const BAR_WIDTH = 24;

/** A time to wait, as `40 s`, `12 min`, `3 h 5 min`. */
export function formatWait(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Guesses how long runs will take: as long as their cell took before, or as the mean of all that is known. */
export class TimeLeft {
  readonly #msByCell = new Map<string, number>();

  /** Learns from a run. */
  learn({ cell, elapsedMs }: StoredRun): void {
    this.#msByCell.set(cellKey(cell), elapsedMs);
  }

  /** Time for runs in ms; undefined before anything is known. */
  guessMs(runs: readonly PlannedRun[]): number | undefined {
    const known = [...this.#msByCell.values()];
    if (known.length === 0) return undefined;
    const meanMs = known.reduce((sum, ms) => sum + ms, 0) / known.length;
    return runs.reduce((sum, { cell }) => sum + (this.#msByCell.get(cellKey(cell)) ?? meanMs), 0);
  }
}

/** Shows a sweep. */
export class SweepProgress implements SweepEvents {
  readonly #stream: ProgressStream;
  readonly #isTerminal: boolean;
  readonly #progress: Progress;
  readonly #timeLeft = new TimeLeft();
  #label: (cell: Cell) => string = () => '';
  #left: PlannedRun[] = [];
  #count = 0;

  constructor(options: { stream: ProgressStream; isTerminal: boolean }) {
    this.#stream = options.stream;
    this.#isTerminal = options.isTerminal;
    this.#progress = new Progress({ ...options, label: 'bench' });
  }

  onPlanned({ runs, kept }: Parameters<SweepEvents['onPlanned']>[0]): void {
    const keys = new Set(kept.map(({ key }) => key));
    this.#label = labelCells(runs.map(({ cell }) => cell));
    this.#left = runs.filter(({ key }) => !keys.has(key));
    this.#count = runs.length;
    for (const run of kept) this.#timeLeft.learn(run);
    if (kept.length > 0) this.#line(`${kept.length} of ${runs.length} runs are kept from before`);
  }

  onStart(run: PlannedRun, doneCount: number): void {
    if (!this.#isTerminal) return;
    const filled = Math.floor((doneCount / this.#count) * BAR_WIDTH);
    const bar = `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`;
    this.#progress.phase(
      `${bar} ${doneCount} of ${this.#count}, ${this.#wait()}: ${this.#label(run.cell)}, repeat ${run.repeat}`,
    );
  }

  onEnd(run: StoredRun, doneCount: number): void {
    this.#timeLeft.learn(run);
    this.#left = this.#left.filter(({ key }) => key !== run.key);
    if (this.#isTerminal && isAsExpected(run)) return;
    const left = this.#left.length === 0 ? '' : `; ${this.#wait()}`;
    this.#line(
      `${doneCount} of ${this.#count} ${this.#label(run.cell)}, repeat ${run.repeat}: ${this.#told(run)} in ${formatNs(run.elapsedMs * 1e6)}${left}`,
    );
  }

  /** Takes the bar off the terminal. */
  clear(): void {
    this.#progress.clear();
  }

  #told(run: StoredRun): string {
    const told = `${run.outcome}${run.error === undefined ? '' : ` (${run.error.code})`}`;
    if (isAsExpected(run)) return told;
    return `NOT ${run.cell.expect} BUT ${told}: ${run.error?.message.split('\n')[0] ?? ''}`;
  }

  #wait(): string {
    const ms = this.#timeLeft.guessMs(this.#left);
    return ms === undefined ? 'time left not known yet' : `about ${formatWait(ms)} left`;
  }

  #line(text: string): void {
    this.#progress.clear();
    this.#stream.write(`bench: ${text}\n`);
  }
}
