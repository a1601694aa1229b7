// Runs the product: a source and a destination as processes, postcopy at once, and reads their results.
import type { MigrationResult } from '../src/telemetry/result.ts';
import { MeasuredProcess, type ProcessUsage } from './measured-process.ts';

/** One migration between two processes. */
export interface ProductRun {
  /** Bytes on the wire over the time from LISTEN's departure to the last page's, seen by the source. */
  readonly sourceMBps: number;
  /** The same over the time from LISTEN's arrival to the end, seen by the destination: placing is included. */
  readonly destinationMBps: number;
  readonly nsPerPage: number;
  readonly wireBytes: number;
  readonly source: ProcessUsage;
  readonly destination: ProcessUsage;
}

const PROGRAM = new URL('../src/cli/postcopy.js', import.meta.url);
const TARGET_PAGE_BYTES = 4096;
/** Waits for a machine whose other work holds it up. */
const TIMEOUT_MS = '120000';

/**
 * Pushes `ramBytes` of non-zero RAM in 4 KiB pages from an idle guest. With `preallocates` the destination's RAM is
 * committed before; without, placing a page includes the kernel's work at its first touch. @throws Error unless it completed in postcopy
 */
export async function runProductPair(ramBytes: number, preallocates: boolean): Promise<ProductRun> {
  const common = ['--json', '--no-verify', '--timeout', TIMEOUT_MS, '--smp', '1'];
  const layout = ['--block', `ram0=${ramBytes}@4K`];
  const destination = new MeasuredProcess('destination', PROGRAM, [
    'destination',
    '--incoming',
    'tcp:127.0.0.1:0',
    ...(preallocates ? ['--mem-prealloc'] : []),
    ...layout,
    ...['--log-level', 'info'],
    ...common,
  ]);
  const [, uri] = await destination.awaitLine(/"uri":"(tcp:[^"]+)"/);
  const source = new MeasuredProcess('source', PROGRAM, [
    'source',
    ...['--migrate', uri!, ...layout],
    ...['--postcopy-after', 'now', '--guest', 'idle', '--zero-percent', '0', '--warm-up', '0'],
    // An idle vCPU still counts its time; at the default rate that takes a quarter of a hardware thread at each end.
    ...['--rate', '100'],
    ...common,
  ]);
  const [sent, received] = await Promise.all([source.finish(), destination.finish()]);
  const from = JSON.parse(sent.stdout) as MigrationResult;
  const to = JSON.parse(received.stdout) as MigrationResult;
  const { wire } = from.bytes;
  const pageCount = ramBytes / TARGET_PAGE_BYTES;
  const isWhole =
    from.status === 'completed' &&
    to.status === 'completed' &&
    (to.pages.postcopyBackground ?? 0) + (to.pages.requested ?? 0) === pageCount &&
    from.pages.zero === 0;
  const activeNs = from.times.phases['postcopy-active'];
  const postcopyNs = to.times.phases['postcopy'];
  if (!isWhole || wire === null || activeNs === undefined || postcopyNs === undefined) {
    throw new Error(
      `expected ${pageCount} pages in postcopy, found ${JSON.stringify([from.status, from.pages, from.error, to.status, to.pages, to.error])}`,
    );
  }
  return {
    sourceMBps: (wire / activeNs) * 1e3,
    destinationMBps: (wire / postcopyNs) * 1e3,
    nsPerPage: postcopyNs / pageCount,
    wireBytes: wire,
    source: sent.usage,
    destination: received.usage,
  };
}
