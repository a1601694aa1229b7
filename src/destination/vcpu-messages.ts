// What a vCPU's thread at the destination tells the main thread.
import type { ErrorRecord } from '../errors.ts';
import type { FaultLogData } from '../telemetry/fault-log.ts';

/** A message of a vCPU's thread. */
export type FromVcpuThread =
  | { readonly kind: 'reply'; readonly bytes: Uint8Array }
  | { readonly kind: 'faults'; readonly log: FaultLogData }
  | { readonly kind: 'error'; readonly error: ErrorRecord };
