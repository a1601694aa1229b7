// The runs of a sweep, and which of them a shard takes.
import type { Cell } from './axes.ts';
import { runKey } from './cell-key.ts';
import { MatrixError } from './matrix-error.ts';

/** One run that is to be. */
export interface PlannedRun {
  readonly key: string;
  readonly cell: Cell;
  /** From 1 on. */
  readonly repeat: number;
}

/** One of `count` shares of a sweep, from 1 on. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** The whole. */
export const WHOLE: Shard = { index: 1, count: 1 };

/** Reads `I/N`. @throws MatrixError */
export function parseShard(text: string): Shard {
  const match = /^([1-9]\d{0,3})\/([1-9]\d{0,3})$/.exec(text);
  const [index, count] = [Number(match?.[1] ?? 1), Number(match?.[2] ?? 0)];
  if (index <= count) return { index, count };
  throw new MatrixError(`--shard: expected I/N with I from 1 to N, such as 2/4, found '${text}'`);
}

/**
 * The runs of a shard. Every cell runs once before any runs again, so that the repeats of a cell do not all meet the same
 * noise; and all repeats of a cell fall to the same shard, so that they are of one machine.
 */
export function planRuns(cells: readonly Cell[], repeats: number, shard: Shard = WHOLE): PlannedRun[] {
  const own = cells.filter((_, index) => index % shard.count === shard.index - 1);
  const runs: PlannedRun[] = [];
  for (let repeat = 1; repeat <= repeats; repeat += 1) {
    for (const cell of own) runs.push({ key: runKey(cell, repeat), cell, repeat });
  }
  return runs;
}
