// Which cells this machine has not the memory for.
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { parseByteSize } from '../../src/machine/byte-size.ts';
import type { Cell } from './axes.ts';

/** Of a process beside the guest's RAM, rounded up. */
const PROCESS_BYTES = 200 * 2 ** 20;

/** Most memory that a run of a cell has in use at once: both ends, and the guest once more where it is proved. */
export function neededBytes(cell: Cell): number {
  const processes = cell.verify ? 3 : 2;
  return processes * (parseByteSize(String(cell.ram)) + PROCESS_BYTES);
}

/** Memory that processes can still have: of the machine, and of the control group where it is bounded. */
export function availableBytes(): number {
  const group = process.constrainedMemory();
  const inGroup = group > 0 && group < Number.MAX_SAFE_INTEGER ? group : Number.POSITIVE_INFINITY;
  return Math.min(inMachine(), inGroup);
}

function inMachine(): number {
  try {
    const match = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    if (match !== null) return Number(match[1]) * 1024;
  } catch {
    // no Linux
  }
  return freemem();
}

/** The cells that need more than there is. */
export function tooLargeCells(cells: readonly Cell[], available: number): Cell[] {
  return cells.filter((cell) => neededBytes(cell) > available);
}
