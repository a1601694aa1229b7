// What a migration of either product gave: the same figures of both.

/** A setting that both can run. */
export interface PairSetting {
  readonly ramBytes: number;
  readonly pageBytes: number;
  readonly preempt: boolean;
}

/** Figures of one migration. */
export interface PairFigures {
  /** Bytes sent in postcopy over its time. */
  readonly mbPerSecond: number;
  /** Last source vCPU stopped to first destination vCPU running. */
  readonly downtimeMs: number;
  readonly stallCount: number;
  /** From the vCPU's touch of a missing page to its going on. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** During which the only vCPU was blocked. */
  readonly blocktimeMs: number;
  readonly postcopySeconds: number;
  /** CPU of each end during postcopy; the guest's own work is in that of the destination. */
  readonly sourceCpuSeconds: number;
  readonly destinationCpuSeconds: number;
}
