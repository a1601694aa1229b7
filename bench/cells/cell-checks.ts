// What makes a cell impossible, or a value on it without effect: told before anything runs.
import { parseByteSize } from '../../src/machine/byte-size.ts';
import { AXES, type AxisName, type Cell } from './axes.ts';
import type { CellValue } from './axis-values.ts';

/** A value other than the default that has no effect unless the condition holds. */
const NEEDS: readonly {
  readonly axis: AxisName;
  readonly holds: (cell: Cell) => boolean;
  readonly needs: string;
}[] = [
  { axis: 'rtt', holds: (cell) => cell.link !== 'none', needs: 'a link' },
  { axis: 'break-huge', holds: (cell) => cell.channels === 2, needs: 'channels 2' },
  { axis: 'push-after', holds: (cell) => cell.push === 'none', needs: 'push none' },
  { axis: 'push-rest-first', holds: isPushedInPieces, needs: 'a placement-page, negotiation and a push' },
  { axis: 'push-piece', holds: (cell) => cell.push !== 'none', needs: 'a push' },
  { axis: 'collapse-at', holds: (cell) => cell['placement-page'] !== 'host', needs: 'a placement-page' },
  { axis: 'collapse-cost', holds: (cell) => cell['placement-page'] !== 'host', needs: 'a placement-page' },
  { axis: 'guest-page', holds: (cell) => cell.mmu === 'hash', needs: 'mmu hash' },
  { axis: 'allow-broken', holds: (cell) => cell['guest-page'] !== 'none', needs: 'a guest-page' },
  {
    axis: 'write-percent',
    holds: (cell) => !String(cell.guest).startsWith('trace:'),
    needs: 'a guest without a trace, which tells its writes itself',
  },
];

function isPushedInPieces(cell: Cell): boolean {
  return cell['placement-page'] !== 'host' && cell.push !== 'none' && cell.negotiate === true;
}

/** The size on an axis of pages; undefined for the word that stands for none. */
function sizeOf(value: CellValue): number | undefined {
  return value === 'none' || value === 'host' ? undefined : parseByteSize(String(value));
}

/** What is wrong with the sizes in which host pages of the destination come; undefined if nothing is. */
function pieceFault(cell: Cell): string | undefined {
  const hostBytes = parseByteSize(String(cell['destination-page']));
  const placementBytes = sizeOf(cell['placement-page']) ?? hostBytes;
  const collapseBytes = sizeOf(cell['collapse-at']);
  const pieceBytes = sizeOf(cell['push-piece']);
  if (placementBytes > hostBytes) {
    return `placement-page ${cell['placement-page']} is larger than destination-page ${cell['destination-page']}`;
  }
  if (collapseBytes !== undefined && (collapseBytes <= placementBytes || collapseBytes >= hostBytes)) {
    return `collapse-at ${cell['collapse-at']} is not between placement-page ${cell['placement-page']} and destination-page ${cell['destination-page']}`;
  }
  if (pieceBytes !== undefined && pieceBytes <= placementBytes) {
    return `push-piece ${cell['push-piece']} has no effect on placement pages as large; exclude it`;
  }
  return undefined;
}

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
  const fault = pieceFault(cell);
  if (fault !== undefined) return fault;
  if (cell.push === 'hot-first' && cell['postcopy-after'] === 'now') {
    return 'push hot-first goes by what precopy saw dirtied, and postcopy-after now leaves it none';
  }
  return undefined;
}
