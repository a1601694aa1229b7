// What the main thread and a thread that may fault, a vCPU's or the toucher's, tell each other at the destination.
import type { ErrorRecord } from '../errors.ts';
import type { GuestTrace } from '../machine/guest-programs.ts';
import type { SharedRamImage } from '../machine/ram-block.ts';
import type { SharedVcpuControl } from '../machine/vcpu-control.ts';
import type { FaultLogData } from '../telemetry/fault-log.ts';
import type { SharedFaultBoard } from './fault-board.ts';

/** What such a thread is given beside what every vCPU thread is. */
export interface FaultingThreadData {
  readonly board: SharedFaultBoard;
  readonly port: SharedArrayBuffer;
  /** Where it shows its faults to who watches; undefined if nobody may. */
  readonly ring?: SharedArrayBuffer | undefined;
}

/** What the thread of a vCPU is started with. */
export interface VcpuThreadStart extends FaultingThreadData {
  readonly index: number;
  readonly control: SharedVcpuControl;
}

/** What the thread of a vCPU is told, once; nothing if it is to end before there is a guest. */
export type ToVcpuThread =
  | { readonly ram: SharedRamImage; readonly trace: GuestTrace | undefined }
  | undefined;

/** What such a thread tells. */
export type FromVcpuThread =
  | { readonly kind: 'reply'; readonly bytes: Uint8Array }
  | { readonly kind: 'faults'; readonly log: FaultLogData }
  | { readonly kind: 'error'; readonly error: ErrorRecord };
