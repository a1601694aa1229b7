// The life of one vCPU: parks, runs its program, parks.

import { monotonicNs } from '../monotonic-clock.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { GuestTrace } from './guest-programs.ts';
import { StepPacer } from './step-pacer.ts';
import { GuestStopped, VCPU_COMMAND, type VcpuControl } from './vcpu-control.ts';
import type { VcpuState } from './vcpu-state.ts';
import { makeStep } from './vcpu-step.ts';

/** Steps between two looks at the command: at 1.6 us for the first touch of a page, still about 100 us. */
const STEPS_PER_LOOK = 64;

/** What a vCPU needs. With `index` alone, its state is what its slot holds when RUN comes. */
export type VcpuRun = {
  readonly memory: GuestMemory;
  readonly control: VcpuControl;
  readonly trace?: GuestTrace | undefined;
} & ({ readonly state: VcpuState } | { readonly index: number });

/**
 * Lives a vCPU's life in this thread and returns when it is told to exit.
 *
 * It starts parked, goes on from the state in its slot at each RUN, and puts its state there before it parks at each
 * STOP. A fault handler may throw `GuestStopped`: then the vCPU parks with its access not done, and does it after the
 * next RUN. Any other error makes it `failed` and is thrown on.
 */
export function runVcpu(run: VcpuRun): 'exited' {
  const { memory, control } = run;
  const index = 'state' in run ? run.state.index : run.index;
  const handleFault = memory.onFault;
  // Set by a fault: a vCPU that has just waited for a page looks at the command before its next access.
  const held = { byFault: false };
  memory.onFault = (block, hostPage) => {
    held.byFault = true;
    control.advance(index, 'fault');
    handleFault(block, hostPage);
    control.advance(index, 'resolve');
  };
  try {
    if ('state' in run) control.writeState(index, run.state);
    control.park(index);
    for (;;) {
      const command = control.waitForOther(VCPU_COMMAND.STOP);
      if (command === VCPU_COMMAND.STOP) continue;
      if (command === VCPU_COMMAND.EXIT) break;
      const state = control.readState(index);
      const step = makeStep(state, memory, run.trace);
      control.enterRun(index);
      runUntilStopped(state, step, control, held);
      control.park(index, state);
    }
    control.leave(index);
    return 'exited';
  } catch (error) {
    control.fail(index, error);
    throw error;
  } finally {
    memory.onFault = handleFault;
  }
}

function runUntilStopped(
  state: VcpuState,
  step: () => void,
  control: VcpuControl,
  held: { byFault: boolean },
): void {
  const pacer = state.ratePerSecond === 0 ? undefined : new StepPacer(state.ratePerSecond, monotonicNs());
  while (control.command() === VCPU_COMMAND.RUN) {
    const steps = pacer === undefined ? STEPS_PER_LOOK : pacer.take(monotonicNs(), STEPS_PER_LOOK);
    if (pacer !== undefined && steps === 0) {
      // Waits on the command word, so a STOP wakes it at once.
      control.waitForOther(VCPU_COMMAND.RUN, pacer.waitMs(monotonicNs()));
      continue;
    }
    held.byFault = false;
    try {
      for (let i = 0; i < steps && !held.byFault; i += 1) step();
    } catch (error) {
      if (error instanceof GuestStopped) return;
      throw error;
    } finally {
      control.showCount(state.index, state.count);
    }
  }
}
