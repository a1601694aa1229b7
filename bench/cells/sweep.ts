// Runs what is planned and not yet kept, one after the other, and keeps what comes of it.
import type { Cell } from './axes.ts';
import type { PlannedRun } from './plan.ts';
import type { ResultStore } from './result-store.ts';
import { type CellRun, isAsExpected, RUN_FORMAT, type StoredRun } from './stored-run.ts';

/** What a sweep tells while it runs. */
export interface SweepEvents {
  /** Before anything runs: how much of the plan is kept from earlier. */
  readonly onPlanned: (plan: { runs: readonly PlannedRun[]; kept: readonly StoredRun[] }) => void;
  readonly onStart: (run: PlannedRun, doneCount: number) => void;
  readonly onEnd: (run: StoredRun, doneCount: number) => void;
}

/** What a sweep is made from. */
export interface SweepOptions {
  readonly plan: readonly PlannedRun[];
  readonly store: ResultStore;
  /** Whether what is kept from before counts for nothing. */
  readonly isFresh: boolean;
  /** Runs a cell once; rejects if it was cancelled. */
  readonly run: (cell: Cell) => Promise<CellRun>;
  /** Machine and build at the start of a run. */
  readonly facts: () => Pick<StoredRun, 'machine' | 'build'>;
  readonly events: SweepEvents;
  readonly nowMs?: () => number;
}

/** What came of a sweep: of all that is planned, runs of now and those that were kept. */
export interface SweepTally {
  readonly ran: number;
  readonly kept: number;
  readonly unexpected: readonly StoredRun[];
}

/**
 * Runs a sweep. A run that came as expected is not repeated; one that did not is tried again, since the reason may be
 * gone. A run that fails does not stop the sweep.
 *
 * @throws what `run` rejects with; all runs before are kept then
 */
export async function sweep(options: SweepOptions): Promise<SweepTally> {
  const { plan, store, events, nowMs = () => performance.now() } = options;
  const there = store.loadIfThere();
  if (options.isFresh) there.clear();
  const keptOf = ({ key }: PlannedRun): StoredRun | undefined => {
    const run = there.get(key);
    return run !== undefined && isAsExpected(run) ? run : undefined;
  };
  const kept = plan.map(keptOf).filter((run) => run !== undefined);
  events.onPlanned({ runs: plan, kept });
  let doneCount = kept.length;
  let ran = 0;
  const unexpected: StoredRun[] = [];
  for (const planned of plan) {
    if (keptOf(planned) !== undefined) continue;
    events.onStart(planned, doneCount);
    const facts = options.facts();
    const beganMs = nowMs();
    const outcome = await options.run(planned.cell);
    const run: StoredRun = {
      format: RUN_FORMAT,
      ...planned,
      ...facts,
      elapsedMs: Math.round(nowMs() - beganMs),
      ...outcome,
    };
    store.save(run);
    doneCount += 1;
    ran += 1;
    if (!isAsExpected(run)) unexpected.push(run);
    events.onEnd(run, doneCount);
  }
  return { ran, kept: kept.length, unexpected };
}
