// The reports of `postcopy conform`: TAP on stdout, and those that were asked for.
import type { Report } from '../conformance/report.ts';
import { TapReport } from '../conformance/report-tap.ts';
import type { Arguments, OptionTable } from './option-table.ts';

/** Options that ask for reports. */
export const REPORT_OPTIONS = {} as const satisfies OptionTable;

/** Opens the reports; each gets every result. Other forms plug in here (src/conformance/report.ts). */
export function openReports(_args: Arguments): Report[] {
  return [new TapReport((text) => process.stdout.write(text))];
}
