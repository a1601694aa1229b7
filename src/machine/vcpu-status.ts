// The life of a vCPU thread, as a table.

import { StateError } from '../errors.ts';

/** Status words of a vCPU in shared memory, in the order of their values. */
export const VCPU_STATUSES = ['starting', 'parked', 'running', 'blocked', 'failed', 'exited'] as const;
/** Name of a status. */
export type VcpuStatus = (typeof VCPU_STATUSES)[number];

/** What happens to a vCPU; `fault` and `resolve` are the two ends of its wait for a page. */
export type VcpuEvent = 'park' | 'run' | 'fault' | 'resolve' | 'exit' | 'fail';

/**
 * Status × event → status. `parked` holds the state in the slot, where other threads may read and write it. A vCPU
 * that is blocked when STOP comes parks with its access not done.
 */
export const VCPU_TRANSITIONS = {
  starting: { park: 'parked', fail: 'failed' },
  parked: { run: 'running', exit: 'exited', fail: 'failed' },
  running: { park: 'parked', fault: 'blocked', fail: 'failed' },
  blocked: { resolve: 'running', park: 'parked', fail: 'failed' },
  failed: {},
  exited: {},
} as const satisfies Record<VcpuStatus, Partial<Record<VcpuEvent, VcpuStatus>>>;

/** The status after `event`. Throws StateError `bad-vcpu-event` where the table has no entry. */
export function nextVcpuStatus(status: VcpuStatus, event: VcpuEvent): VcpuStatus {
  const next = (VCPU_TRANSITIONS[status] as Partial<Record<VcpuEvent, VcpuStatus>>)[event];
  if (next === undefined) {
    throw new StateError('bad-vcpu-event', `a vCPU that is ${status} cannot take the event ${event}`, {
      state: status,
    });
  }
  return next;
}
