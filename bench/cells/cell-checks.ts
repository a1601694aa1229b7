// What makes a cell impossible, or a value on it without effect: told before anything runs.
import { parseByteSize } from '../../src/machine/byte-size.ts';
import { AXES, type AxisName, type Cell } from './axes.ts';

/** A value other than the default that has no effect unless the condition holds. */
const NEEDS: readonly {
  readonly axis: AxisName;
  readonly holds: (cell: Cell) => boolean;
  readonly needs: string;
}[] = [
  { axis: 'rtt', holds: (cell) => cell.link !== 'none', needs: 'a link' },
  { axis: 'break-huge', holds: (cell) => cell.channels === 2, needs: 'channels 2' },
  { axis: 'push-after', holds: (cell) => cell.push === 'none', needs: 'push none' },
  { axis: 'collapse-cost', holds: (cell) => cell['placement-page'] !== 'host', needs: 'a placement-page' },
  { axis: 'guest-page', holds: (cell) => cell.mmu === 'hash', needs: 'mmu hash' },
  { axis: 'allow-broken', holds: (cell) => cell['guest-page'] !== 'none', needs: 'a guest-page' },
  {
    axis: 'write-percent',
    holds: (cell) => !String(cell.guest).startsWith('trace:'),
    needs: 'a guest without a trace, which tells its writes itself',
  },
];

/** What is wrong with a cell; undefined if nothing is. */
export function cellFault(cell: Cell): string | undefined {
  for (const { axis, holds, needs } of NEEDS) {
    if (cell[axis] !== AXES[axis].default && !holds(cell)) {
      return `${axis} ${cell[axis]} has no effect without ${needs}; exclude it`;
    }
  }
  const ramBytes = parseByteSize(String(cell.ram));
  if (ramBytes === 0) return 'ram 0 is none';
  for (const axis of ['source-page', 'destination-page'] as const) {
    if (ramBytes % parseByteSize(String(cell[axis])) !== 0) {
      return `ram ${cell.ram} is not a multiple of ${axis} ${cell[axis]}`;
    }
  }
  const hostBytes = parseByteSize(String(cell['destination-page']));
  const placement = cell['placement-page'];
  if (placement !== 'host' && parseByteSize(String(placement)) > hostBytes) {
    return `placement-page ${placement} is larger than destination-page ${cell['destination-page']}`;
  }
  if (cell.push === 'hot-first' && cell['postcopy-after'] === 'now') {
    return 'push hot-first goes by what precopy saw dirtied, and postcopy-after now leaves it none';
  }
  return undefined;
}
