// Reads the options that say how a destination collapses host pages that it places in pieces.
import type { ReceiveOptions } from '../destination/incoming-messages.ts';
import type { CollapseStep } from '../destination/ram-tally.ts';
import { formatByteSize } from '../machine/byte-size.ts';
import { type Arguments, badValue, parsePageSize } from './option-table.ts';

/**
 * What a collapse into a host page takes, and the steps before, each between the piece and the largest host page.
 *
 * @throws OptionError
 */
export function parseCollapses(
  args: Arguments,
  hostPages: readonly number[],
): Pick<ReceiveOptions, 'collapseNs' | 'collapseSteps'> {
  const collapseNs = args.integer('collapse-cost', 0) * 1000;
  const texts = args.texts('collapse-at');
  if (texts.length === 0) return { collapseNs };
  const pieceBytes = args.pageBytes('placement-page');
  const largestBytes = Math.max(...hostPages);
  const collapseSteps: CollapseStep[] = [];
  for (const text of texts) {
    const step = parseStep(text, collapseNs);
    if (step.pageBytes <= pieceBytes || step.pageBytes >= largestBytes) {
      const between = `${formatByteSize(pieceBytes)} of --placement-page and the largest host page, ${formatByteSize(largestBytes)}`;
      throw badValue('collapse-at', `a size between ${between}`, text);
    }
    if (collapseSteps.some(({ pageBytes }) => pageBytes === step.pageBytes)) {
      throw badValue('collapse-at', 'each size once', text);
    }
    collapseSteps.push(step);
  }
  return { collapseNs, collapseSteps: collapseSteps.sort((a, b) => a.pageBytes - b.pageBytes) };
}

function parseStep(text: string, hostPageNs: number): CollapseStep {
  const match = /^(?<size>[^=]+)(=(?<us>\d+))?$/.exec(text);
  if (match?.groups === undefined) throw badValue('collapse-at', 'SIZE or SIZE=US', text);
  const { size, us } = match.groups;
  return {
    pageBytes: parsePageSize('collapse-at', size!),
    collapseNs: us === undefined ? hostPageNs : Number(us) * 1000,
  };
}
