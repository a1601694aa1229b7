// What a reader of results must know beside the figures: where they are from, what failed, which links were not carried.
import { formatBytes } from '../../src/cli/format-quantity.ts';
import { formatBitRate, missesItsRate } from '../../src/telemetry/link-result.ts';
import type { MachineFacts } from '../machine-facts.ts';
import { spreadOf } from '../spread.ts';
import { AXES, AXIS_NAMES } from './axes.ts';
import { describeBuild } from './build-facts.ts';
import { describeCell, labelCells, varyingAxes } from './cell-labels.ts';
import type { CellSummary } from './cell-summary.ts';
import type { StoredRun } from './stored-run.ts';

/** What all cells have in common. */
export function describeCommon(summaries: readonly CellSummary[]): string {
  const cells = summaries.map(({ cell }) => cell);
  const varying = new Set(varyingAxes(cells));
  const common = AXIS_NAMES.filter((name) => !varying.has(name) && cells[0]![name] !== AXES[name].default);
  const named = common.length === 0 ? '' : `${describeCell(cells[0]!, common)}; `;
  return `${named}what is not named is the default`;
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
  const label = labelCells(summaries.map(({ cell }) => cell));
  return summaries.flatMap(({ cell, unexpected }) =>
    unexpected.map(({ repeat, outcome, error }) => {
      const why = error === undefined ? '' : `: ${error.message.split('\n')[0]} (${error.code})`;
      return `${label(cell)}, repeat ${repeat}: expected ${cell.expect}, found ${outcome}${why}`;
    }),
  );
}

/** Cells whose link was faster than what this machine carried, with what it carried. */
export function describeMissedLinks(summaries: readonly CellSummary[]): string[] {
  const label = labelCells(summaries.map(({ cell }) => cell));
  return summaries.flatMap(({ cell, completed }) => {
    const links = completed.flatMap(({ source }) =>
      source?.link === undefined ? [] : [source.link.forward],
    );
    const missed = links.filter(missesItsRate);
    if (missed.length === 0) return [];
    const carried = spreadOf(missed.map(({ carriedBytesPerSecond }) => carriedBytesPerSecond!));
    return [
      `${label(cell)}: asked ${cell.link}, carried ${formatBitRate(carried.median)} in ${missed.length} of ${completed.length} runs`,
    ];
  });
}
