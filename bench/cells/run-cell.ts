// Runs a cell once: the product's own source and destination as two processes, and what came of it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withCauses, withoutRequests } from '../../src/telemetry/anatomy.ts';
import type { MigrationResult } from '../../src/telemetry/result.ts';
import { MeasuredProcess, type ProcessEnding } from '../measured-process.ts';
import type { Cell } from './axes.ts';
import { destinationArguments, sourceArguments } from './cell-arguments.ts';
import type { CellRun, RunError } from './stored-run.ts';

const PROGRAM = new URL('../../src/cli/postcopy.js', import.meta.url);
/** How long an end that was told to end may take. */
const GRACE_MS = 5000;
const STDERR_TAIL = 2000;

/** How to run. */
export interface RunOptions {
  readonly limitSeconds: number;
  /** Ends both processes; the run then rejects with its reason. */
  readonly signal: AbortSignal;
}

interface PairEnding {
  readonly source: ProcessEnding | null;
  readonly destination: ProcessEnding;
  readonly isLate: boolean;
}

/** Ends a process: first asked to, then not. */
function endProcess(process: MeasuredProcess): void {
  process.child.kill('SIGTERM');
  setTimeout(() => process.child.kill('SIGKILL'), GRACE_MS).unref();
}

async function runPair(
  cell: Cell,
  pair: { keepsFaults: boolean; faultsPath: string | undefined },
  { limitSeconds, signal }: RunOptions,
): Promise<PairEnding> {
  signal.throwIfAborted();
  const ends: MeasuredProcess[] = [];
  const start = (name: string, args: readonly string[]): MeasuredProcess => {
    const end = new MeasuredProcess(name, PROGRAM, args);
    ends.push(end);
    return end;
  };
  const endAll = (): void => ends.forEach(endProcess);
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    endAll();
  }, limitSeconds * 1000);
  signal.addEventListener('abort', endAll);
  try {
    const destination = start('destination', destinationArguments(cell, pair));
    const listening = await destination.awaitLine(/"uri":"(tcp:[^"]+)"/).catch(() => undefined);
    if (listening === undefined || signal.aborted || isLate) {
      endAll();
      return { source: null, destination: await destination.ended(), isLate };
    }
    const source = start('source', sourceArguments(cell, { uri: listening[1]!, ...pair }));
    // The peer of an end that could not even begin would wait for it in vain.
    const endings = ends.map(async (end) => {
      const ending = await end.ended();
      if (ending.stdout === '') endAll();
      return ending;
    });
    await Promise.all(endings);
    return { source: await source.ended(), destination: await destination.ended(), isLate };
  } finally {
    clearTimeout(limit);
    signal.removeEventListener('abort', endAll);
  }
}

function resultOf(ending: ProcessEnding | null): MigrationResult | null {
  if (ending === null || ending.stdout === '') return null;
  return JSON.parse(ending.stdout) as MigrationResult;
}

function withoutResult(name: string, { exitCode, signal, stderr }: ProcessEnding): RunError {
  const how = `ended with ${exitCode ?? signal}`;
  return { code: 'no-result', message: `the ${name} ${how} and no result: ${stderr.slice(-STDERR_TAIL)}` };
}

/** What came of a pair. */
function judge(cell: Cell, limitSeconds: number, pair: PairEnding): CellRun {
  const source = resultOf(pair.source);
  const destination = resultOf(pair.destination);
  const run = {
    // The lists of requests and faults are as long as there were any: what is kept is their sums.
    source: source && withoutRequests(source),
    destination: destination && withCauses(source, destination),
    usage: { source: pair.source?.usage ?? null, destination: pair.destination.usage },
  };
  const failed = (code: string, message: string): CellRun => ({
    outcome: 'failed',
    error: { code, message },
    ...run,
  });
  if (pair.isLate) return failed('too-slow', `it took longer than ${limitSeconds} s`);
  const lacking = [
    source === null && pair.source !== null ? withoutResult('source', pair.source) : undefined,
    destination === null ? withoutResult('destination', pair.destination) : undefined,
  ].find((error) => error !== undefined);
  if (lacking !== undefined) return failed(lacking.code, lacking.message);
  if (source === null || destination === null) return failed('no-result', 'the source was not started');
  if (source.status === 'completed' && destination.status === 'completed') {
    if (destination.guestVerified || !cell.verify) return { outcome: 'completed', ...run };
    return failed('guest-not-verified', destination.guestVerification);
  }
  const errors = [source.error, destination.error].filter((error) => error !== undefined);
  // The end that was left only saw a connection that was closed.
  const cause = errors.find((error) => error.name !== 'TransportError') ?? errors[0];
  const error = { code: cause?.code ?? source.status, message: cause?.message ?? 'it did not complete' };
  const isRefusal =
    cause?.name === 'MemoryMapError' &&
    source.status === 'failed' &&
    (source.guestAtSource?.isProved === true || !cell.verify);
  return { outcome: isRefusal ? 'refused' : 'failed', error, ...run };
}

/** Runs a cell once. @throws the reason of the signal, when both ends have ended */
export async function runCell(cell: Cell, options: RunOptions): Promise<CellRun> {
  const run = async (ofCell: Cell, pair: Parameters<typeof runPair>[1]) => {
    const ending = await runPair(ofCell, pair, options);
    options.signal.throwIfAborted();
    return { printed: ending.destination.stdout, run: judge(ofCell, options.limitSeconds, ending) };
  };
  if (cell.push !== 'recorded') return (await run(cell, { keepsFaults: true, faultsPath: undefined })).run;
  const folder = mkdtempSync(join(tmpdir(), 'postcopy-cell-'));
  try {
    const first = await run({ ...cell, push: 'none' }, { keepsFaults: true, faultsPath: undefined });
    if (first.run.outcome !== 'completed') return first.run;
    const faultsPath = join(folder, 'faults.json');
    writeFileSync(faultsPath, first.printed);
    return (await run(cell, { keepsFaults: true, faultsPath })).run;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
