// One run of a cell as it is kept: what was run, where, by which build, and what came of it.
import type { MigrationResult } from '../../src/telemetry/result.ts';
import type { MachineFacts } from '../machine-facts.ts';
import type { ProcessUsage } from '../measured-process.ts';
import type { Cell } from './axes.ts';
import type { BuildFacts } from './build-facts.ts';

/** Of the file, raised when what older ones say would be misread. */
export const RUN_FORMAT = 1;

/**
 * What came of a run: both ends completed and the guest was proved (unless that was not asked for); the page sizes were
 * refused and the guest is well at the source; or neither.
 */
export type Outcome = 'completed' | 'refused' | 'failed';

/** Why a run is not completed. */
export interface RunError {
  readonly code: string;
  readonly message: string;
}

/** What came of one run. */
export interface CellRun {
  readonly outcome: Outcome;
  readonly error?: RunError;
  /** `null` for an end that ended without a result. */
  readonly source: MigrationResult | null;
  readonly destination: MigrationResult | null;
  readonly usage: {
    readonly source: ProcessUsage | null;
    readonly destination: ProcessUsage | null;
  };
}

/** A run with all that it needs to mean anything. */
export interface StoredRun extends CellRun {
  readonly format: typeof RUN_FORMAT;
  /** Hash of the cell and the repeat, and the name of the file. */
  readonly key: string;
  readonly cell: Cell;
  /** From 1 on. */
  readonly repeat: number;
  readonly machine: MachineFacts;
  readonly build: BuildFacts;
  readonly elapsedMs: number;
}

/** Whether it came as its cell expects. */
export function isAsExpected({ outcome, cell }: Pick<StoredRun, 'outcome' | 'cell'>): boolean {
  return outcome === cell.expect;
}
