// Where the guest is at a moment: when it stopped at the source, and when it ran at the destination.
import { END_NAMES } from './frame.ts';
import type { RunModel } from './run-model.ts';
import { bytesOf } from './throughput.ts';

/** The switchover of a run; undefined where it has not come, or nobody said when. */
export interface Switchover {
  /** Last vCPU stopped at the source. */
  readonly stoppedAt: number | undefined;
  /** First vCPU ran at the destination. */
  readonly runningAt: number | undefined;
}

/** When the guest changed places, from the results if they came, else from the states of both ends. */
export function switchoverOf({ ends }: RunModel): Switchover {
  const { source, destination } = ends;
  const exactStop = source.results.at(-1)?.guestStoppedNs ?? undefined;
  const exactRun = destination.results.at(-1)?.guestRunningNs ?? undefined;
  const stoppedAt =
    exactStop ?? source.states.find(({ state }) => state === 'device' || state === 'postcopy-active')?.at;
  const firstRun = destination.vcpus.find(({ list }) => list.some((vcpu) => vcpu.running || vcpu.since > 0));
  const runningAt = exactRun ?? firstRun?.at;
  return { stoppedAt, runningAt };
}

/** Who runs the guest at a moment. */
export function guestPlace(run: RunModel, at: number): 'source' | 'between' | 'destination' {
  const { stoppedAt, runningAt } = switchoverOf(run);
  if (runningAt !== undefined && at >= runningAt) return 'destination';
  return stoppedAt !== undefined && at >= stoppedAt ? 'between' : 'source';
}

/** Room before and after what happens. */
const MARGIN_NS = 5e8;

/** The part of a run in which something happens: without the wait for a source, and the proof when all is over. */
export function eventfulSpan(run: RunModel): { from: number; to: number } {
  const { startAt, endAt, ends } = run;
  const begun = END_NAMES.map((end) => ends[end].states.find(({ state }) => state !== 'waiting')?.at);
  const from = Math.min(...begun.map((at) => at ?? Number.POSITIVE_INFINITY)) - MARGIN_NS;
  if (!Number.isFinite(from)) return { from: startAt, to: endAt };
  if (!run.isOver) return { from: Math.max(startAt, from), to: endAt };
  const busy = END_NAMES.map((end) => ends[end].rates.findLast((rates) => bytesOf(rates) > 0)?.at ?? 0);
  const stalled = run.lanes.map((lane) => lane.stalls.at(-1)?.running ?? 0);
  const to = Math.max(from + 2 * MARGIN_NS, ...busy, ...stalled) + 2 * MARGIN_NS;
  return { from: Math.max(startAt, from), to: Math.min(endAt, to) };
}
