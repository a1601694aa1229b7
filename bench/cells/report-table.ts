// The results of cells as a table for a terminal, or for a document.
import { formatBytes } from '../../src/cli/format-quantity.ts';
import type { MachineFacts } from '../machine-facts.ts';
import { formatTable } from '../table.ts';
import { AXES, AXIS_NAMES, describeCell, varyingAxes } from './axes.ts';
import { describeBuild } from './build-facts.ts';
import type { CellSummary } from './cell-summary.ts';
import { formatSummary, UNDER_FLOOR_MARK } from './figure-text.ts';
import { FIGURES, type FigureName } from './figures.ts';
import type { StoredRun } from './stored-run.ts';

/** Every stall stands beside its floor. */
const COLUMNS: readonly FigureName[] = [
  'p50',
  'p99',
  'floor',
  'faults',
  'totalStall',
  'totalFloor',
  'migration',
];

/** How many runs there are of a cell, and what came of those that did not complete. */
export function formatRuns({ cell, runs, completed, unexpected }: CellSummary): string {
  if (unexpected.length > 0) return `${unexpected.length} of ${runs.length} FAILED`;
  return cell.expect === 'refused' ? `${runs.length} refused` : String(completed.length);
}

/** What all cells have in common, where it is not the default. */
export function describeCommon(summaries: readonly CellSummary[]): string {
  const cells = summaries.map(({ cell }) => cell);
  const varying = new Set(varyingAxes(cells));
  const common = AXIS_NAMES.filter((name) => !varying.has(name) && cells[0]![name] !== AXES[name].default);
  return common.length === 0 ? 'defaults' : describeCell(cells[0]!, common);
}

/** Machines and builds that runs are of, each once, with how many runs are theirs. */
export function describeOrigins(runs: readonly StoredRun[]): string[] {
  const machineOf = ({ cpu, coreCount, memoryBytes, kernel, isVirtual, node }: MachineFacts) =>
    `${cpu}, ${coreCount} hardware threads, ${formatBytes(memoryBytes)}, ${isVirtual ? 'virtual machine' : 'bare metal'}, Linux ${kernel}, Node ${node}`;
  const counts = new Map<string, StoredRun[]>();
  for (const run of runs) {
    const origin = `${machineOf(run.machine)}; postcopy ${describeBuild(run.build)}`;
    counts.set(origin, [...(counts.get(origin) ?? []), run]);
  }
  return [...counts].map(([origin, group]) => {
    const dates = group.map(({ machine }) => machine.date).sort();
    const loads = group.map(({ machine }) => machine.loadAtStart).sort((a, b) => a - b);
    return `${group.length} runs from ${dates[0]} to ${dates.at(-1)}: ${origin}; load ${loads[0]!.toFixed(1)} to ${loads.at(-1)!.toFixed(1)} at their start`;
  });
}

/** Runs that did not come as expected, and why. */
export function describeFailures(summaries: readonly CellSummary[]): string[] {
  const axes = varyingAxes(summaries.map(({ cell }) => cell));
  return summaries.flatMap(({ cell, unexpected }) =>
    unexpected.map(({ repeat, outcome, error }) => {
      const why = error === undefined ? '' : `: ${error.message.split('\n')[0]} (${error.code})`;
      return `${describeCell(cell, axes)}, repeat ${repeat}: expected ${cell.expect}, found ${outcome}${why}`;
    }),
  );
}

/** The table, with what one needs to know to read it. */
export function reportTable(summaries: readonly CellSummary[]): string {
  const axes = varyingAxes(summaries.map(({ cell }) => cell));
  const heading = [axes[0] ?? 'cell', ...axes.slice(1)];
  const rows = summaries.map((summary) => [
    ...(axes.length === 0 ? ['all defaults'] : axes.map((name) => String(summary.cell[name]))),
    formatRuns(summary),
    ...COLUMNS.map((name) => formatSummary(summary, name)),
    summary.verification,
  ]);
  const isMarked = rows.some((row) => row.some((text) => text.includes(UNDER_FLOOR_MARK)));
  const failures = describeFailures(summaries);
  return [
    ...describeOrigins(summaries.flatMap(({ runs }) => runs)),
    `all cells: ${describeCommon(summaries)}`,
    '',
    formatTable([...heading, 'runs', ...COLUMNS.map((name) => FIGURES[name].title), 'guest'], rows),
    '',
    'Median over the runs; ± is the farthest run from it. floor: what the wire alone needs.',
    ...(isMarked
      ? [
          `${UNDER_FLOOR_MARK} under the floor: the page was under way before its fault, or the floor is of a slower link`,
        ]
      : []),
    ...(failures.length === 0 ? [] : ['', 'NOT AS EXPECTED:', ...failures.map((line) => `  ${line}`)]),
  ].join('\n');
}
