// What the main thread and a thread that may fault, a vCPU's or the toucher's, tell each other at the destination.
import type { ErrorRecord } from '../errors.ts';
import type { FaultLogData } from '../telemetry/fault-log.ts';
import type { SharedFaultBoard } from './fault-board.ts';

/** What such a thread is given beside what every vCPU thread is. */
export interface FaultingThreadData {
  readonly board: SharedFaultBoard;
  readonly port: SharedArrayBuffer;
}

/** What such a thread tells. */
export type FromVcpuThread =
  | { readonly kind: 'reply'; readonly bytes: Uint8Array }
  | { readonly kind: 'faults'; readonly log: FaultLogData }
  | { readonly kind: 'error'; readonly error: ErrorRecord };
