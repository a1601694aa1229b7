// A cell as the command lines of its two ends.
import { parseByteSize } from '../../src/machine/byte-size.ts';
import type { Cell } from './axes.ts';
import { tracePath } from './cell-key.ts';

/** The one RAM block of a cell: with one page size only, no stall of another mixes in. */
const BLOCK = 'ram0';
/** No machine is held up by its other work for so long; a run has a limit of its own. */
const TIMEOUT_MS = '120000';
/** Of `--push-after`, the default. */
const DEFAULT_PUSH_AFTER = 1000;

/** An option, unless `isGiven` is false. */
function option(isGiven: boolean, name: string, ...value: readonly unknown[]): string[] {
  return isGiven ? [`--${name}`, ...value.map(String)] : [];
}

function bothEnds(cell: Cell, page: unknown): string[] {
  return [
    ...['--json', '--block', `${BLOCK}=${parseByteSize(String(cell.ram))}@${page}`],
    ...['--timeout', TIMEOUT_MS, '--profile', String(cell.profile)],
    ...option(!cell.negotiate, 'no-negotiate'),
    ...option(!cell.verify, 'no-verify'),
    ...option(cell.channels === 2, 'postcopy-preempt'),
  ];
}

/** Arguments of `postcopy destination`; it listens on a free port of the loopback. */
export function destinationArguments(cell: Cell, options: { keepsFaults: boolean }): string[] {
  const placement = cell['placement-page'];
  return [
    ...['destination', '--incoming', 'tcp:127.0.0.1:0', '--log-level', 'info', '--smp', String(cell.vcpus)],
    ...bothEnds(cell, cell['destination-page']),
    ...option(cell.prealloc === true, 'mem-prealloc'),
    ...option(placement !== 'host', 'placement-page', placement),
    ...option(cell['collapse-cost'] !== 0, 'collapse-cost', cell['collapse-cost']),
    ...option(cell['collapse-at'] !== 'none', 'collapse-at', cell['collapse-at']),
    ...option(cell.touch !== 'none', 'touch', cell.touch),
    ...option(cell.touch === 'random', 'touch-seed', cell.seed),
    // The floors follow from the link that was asked for; on none from the best rate of the run.
    ...option(cell.link !== 'none', 'floor-link', cell.link),
    ...option(cell.link !== 'none', 'floor-rtt', cell.rtt),
    ...option(options.keepsFaults, 'faults'),
  ];
}

/** Arguments of `postcopy source`. */
export function sourceArguments(
  cell: Cell,
  options: { uri: string; keepsFaults: boolean; faultsPath: string | undefined },
): string[] {
  const trace = tracePath(cell);
  const { faultsPath } = options;
  return [
    ...['source', '--migrate', options.uri, '--smp', String(cell.vcpus)],
    ...bothEnds(cell, cell['source-page']),
    ...(trace === undefined
      ? ['--guest', String(cell.guest), '--write-percent', String(cell['write-percent'])]
      : ['--guest', 'trace', '--trace', trace]),
    ...['--rate', String(cell.rate), '--zero-percent', String(cell['zero-percent'])],
    ...['--seed', String(cell.seed), '--warm-up', String(cell['warm-up'])],
    // Precopy that has converged is finished as precopy; with no downtime allowed it never has.
    ...['--postcopy-after', String(cell['postcopy-after']), '--downtime-limit', '0'],
    ...['--max-bandwidth', String(cell['max-bandwidth'])],
    ...['--max-postcopy-bandwidth', String(cell['max-postcopy-bandwidth'])],
    ...['--max-flight', String(cell['max-flight'])],
    ...option(cell.channels === 2, 'break-huge', cell['break-huge'] ? 'on' : 'off'),
    ...option(cell.push !== 'forward', 'push', cell.push),
    ...option(cell['push-after'] !== DEFAULT_PUSH_AFTER, 'push-after', cell['push-after']),
    ...option(!cell['push-rest-first'], 'push-rest-first', 'off'),
    ...option(cell['push-piece'] !== 'none', 'push-piece', cell['push-piece']),
    ...option(faultsPath !== undefined, 'push-faults', faultsPath),
    ...option(options.keepsFaults, 'requests'),
    ...option(cell.link !== 'none', 'link', cell.link),
    ...option(cell.link !== 'none', 'rtt', cell.rtt),
    ...['--mmu', String(cell.mmu)],
    ...option(cell['guest-page'] !== 'none', 'guest-page', cell['guest-page']),
    ...option(cell['allow-broken'] === true, 'allow-broken-pages'),
  ];
}
