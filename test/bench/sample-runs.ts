// Runs of cells as they are kept, made up: figures that follow from a few numbers, so that a test can tell what must come out.
import { type Cell, DEFAULT_CELL } from '../../bench/cells/axes.ts';
import { runKey } from '../../bench/cells/cell-key.ts';
import type { CellRun, StoredRun } from '../../bench/cells/stored-run.ts';
import type { MigrationResult } from '../../src/telemetry/result.ts';
import { type CausesNs, STALL_CAUSE_NAMES } from '../../src/telemetry/stall-causes.ts';
import { DESTINATION, SOURCE } from '../telemetry/sample-results.ts';

/** Where sample runs were made up. */
export const MACHINE = {
  date: '2026-11-25T08:00:00.000Z',
  cpu: 'Imagined CPU',
  coreCount: 2,
  memoryBytes: 2 ** 34,
  kernel: '6.1',
  isVirtual: true,
  node: 'v20.20.2',
  transparentHugePages: 'madvise',
  congestionControl: 'cubic',
  loadAtStart: 0.5,
  qemu: null,
};

/** What the stalls of a sample run are made from. */
export interface SampleStalls {
  readonly count: number;
  readonly stallNs: number;
  readonly floorNs: number;
}

const NO_CAUSES = Object.fromEntries(STALL_CAUSE_NAMES.map((cause) => [cause, 0])) as CausesNs;

/** A cell with some values of its own. */
export function cellWith(values: Partial<Cell>): Cell {
  return { ...DEFAULT_CELL, ...values };
}

/** A destination all of whose stalls took the same time. */
function destinationOf({ count, stallNs, floorNs }: SampleStalls): MigrationResult {
  const block = { ...DESTINATION.stalls!.perBlock[0]! };
  const buckets = new Array<number>(24).fill(0);
  buckets[Math.floor(Math.log2(stallNs / 1000))] = count;
  return {
    ...DESTINATION,
    stalls: {
      ...DESTINATION.stalls!,
      count,
      meanNs: stallNs,
      p50Ns: stallNs,
      p90Ns: stallNs,
      p99Ns: stallNs,
      p999Ns: stallNs,
      maxNs: stallNs,
      totalNs: count * stallNs,
      latencyBuckets: buckets,
      perBlock: [{ ...block, count, p50Ns: stallNs, totalNs: count * stallNs, floorNs, underFloor: 0 }],
      causes: {
        ...DESTINATION.stalls!.causes,
        totalsNs: { ...NO_CAUSES, wire: (count * stallNs) / 4, restOfPage: (count * stallNs * 3) / 4 },
      },
      hops: { queueNs: 0, firstByteNs: stallNs / 4, placeNs: stallNs / 2, resumeNs: stallNs / 4 },
    },
  };
}

/** What comes of a run that completed. */
export function completedRun(stalls: SampleStalls): CellRun {
  const { error: _, link: __, ...source } = SOURCE;
  return {
    outcome: 'completed',
    source: { ...source, status: 'completed', times: { ...source.times, totalNs: 2e9 } },
    destination: destinationOf(stalls),
    usage: { source: null, destination: null },
  };
}

/** What comes of a run that did not. */
export function failedRun(code: string, outcome: 'failed' | 'refused' = 'failed'): CellRun {
  return {
    outcome,
    error: { code, message: `made up: ${code}` },
    source: null,
    destination: null,
    usage: { source: null, destination: null },
  };
}

/** A run as it is kept. */
export function storedRun(values: Partial<Cell>, repeat: number, run: CellRun): StoredRun {
  const cell = cellWith(values);
  return {
    format: 1,
    key: runKey(cell, repeat),
    cell,
    repeat,
    machine: MACHINE,
    build: { version: '0.1.0', commit: 'abcdef0123' },
    elapsedMs: 2000,
    ...run,
  };
}

/** A small sweep: two page sizes on two links, three strategies, a refusal and a failure; two repeats each. */
export function sampleSweep(factor = 1): StoredRun[] {
  const runs: StoredRun[] = [];
  for (const repeat of [1, 2]) {
    const slower = (1 + repeat / 10) * factor;
    for (const page of ['4K', '2M']) {
      for (const link of ['1gbit', '10gbit']) {
        const floorNs = (page === '4K' ? 34_000 : 17_000_000) / (link === '1gbit' ? 1 : 10);
        const stalls = { count: 100, stallNs: 3 * floorNs * slower, floorNs };
        runs.push(storedRun({ 'destination-page': page, link }, repeat, completedRun(stalls)));
      }
    }
    for (const push of ['none', 'bubble']) {
      const stalls = { count: push === 'none' ? 400 : 50, stallNs: 20_000 * slower, floorNs: 34_000 };
      runs.push(storedRun({ link: '1gbit', push }, repeat, completedRun(stalls)));
    }
    runs.push(
      storedRun(
        {
          'source-page': '16M',
          'destination-page': '2M',
          negotiate: false,
          link: '1gbit',
          expect: 'refused',
        },
        repeat,
        failedRun('page-sizes-differ', 'refused'),
      ),
    );
  }
  runs.push(storedRun({ link: '1gbit', vcpus: 7 }, 1, failedRun('too-<slow>&"')));
  return runs;
}
