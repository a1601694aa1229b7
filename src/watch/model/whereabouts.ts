// Where the guest is at a moment: when it stopped at the source, and when it ran at the destination.
import type { RunModel } from './run-model.ts';

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
