// `bench run`: sweeps a matrix.
import { loadavg } from 'node:os';
import { formatBytes } from '../../src/cli/format-quantity.ts';
import type { Arguments, CommandHelp } from '../../src/cli/option-table.ts';
import { EXIT } from '../../src/cli/output.ts';
import { machineFacts } from '../machine-facts.ts';
import type { Cell } from './axes.ts';
import { buildFacts, describeBuild } from './build-facts.ts';
import { labelCells } from './cell-labels.ts';
import { expandMatrix } from './expand.ts';
import { readMatrix } from './matrix.ts';
import { MatrixError } from './matrix-error.ts';
import { availableBytes, neededBytes, tooLargeCells } from './memory-need.ts';
import { parseShard, planRuns } from './plan.ts';
import { ResultStore } from './result-store.ts';
import { runCell } from './run-cell.ts';
import type { StoredRun } from './stored-run.ts';
import { sweep } from './sweep.ts';
import { SweepProgress } from './sweep-progress.ts';

/** Where results are kept unless told otherwise. */
export const DEFAULT_DIRECTORY = 'results';

/** Help and options of `bench run`. */
export const RUN_HELP = {
  usage: 'npm run bench -- run MATRIX.json [OPTIONS]',
  summary:
    'Runs every cell of a matrix as a source and a destination, one pair at a time, and keeps what came of it.',
  options: {
    out: { value: 'DIR', doc: 'where results are kept, and looked for', default: DEFAULT_DIRECTORY },
    repeats: { value: 'N', doc: 'runs of each cell, in place of what the matrix says' },
    shard: { value: 'I/N', doc: 'run only this one of N shares of the cells', default: '1/1' },
    fresh: { doc: 'run again what is kept already' },
    'skip-too-large': { doc: 'leave out the cells that need more memory than there is' },
    list: { doc: 'print the cells and run nothing' },
    help: { short: 'h', doc: 'print this help' },
  },
  examples: [
    { doc: 'two minutes', command: 'npm run bench -- run bench/matrices/quick.json' },
    {
      doc: 'the second of four machines',
      command: 'npm run bench -- run bench/matrices/page-size.json --shard 2/4 --out results-2',
    },
  ],
} as const satisfies CommandHelp;

function refuseTooLarge(all: readonly Cell[], args: Arguments): readonly Cell[] {
  const available = availableBytes();
  const tooLarge = tooLargeCells(all, available);
  if (tooLarge.length === 0) return all;
  const most = Math.max(...tooLarge.map(neededBytes));
  const told = `${tooLarge.length} of ${all.length} cells need up to ${formatBytes(most)} of memory, and ${formatBytes(available)} are available`;
  if (!args.has('skip-too-large')) throw new MatrixError(`${told}; --skip-too-large leaves them out`);
  const label = labelCells(all);
  process.stderr.write(`bench: LEFT OUT: ${told}\n`);
  for (const cell of tooLarge) process.stderr.write(`bench:   ${label(cell)}\n`);
  const fitting = all.filter((cell) => !tooLarge.includes(cell));
  if (fitting.length === 0) throw new MatrixError('no cell is left');
  return fitting;
}

/** A run that was made by another build says so: its figures are not those of this one. */
function otherBuilds(kept: readonly StoredRun[], build: string): string | undefined {
  const others = kept.filter((run) => describeBuild(run.build) !== build);
  if (others.length === 0) return undefined;
  return `${others.length} kept runs are of other builds than ${build}; --fresh runs them again`;
}

/** Runs `bench run` and returns its exit code. @throws MatrixError, OptionError */
export async function runCommand(args: Arguments): Promise<number> {
  const [path, surplus] = args.positionals;
  if (path === undefined || surplus !== undefined) {
    throw new MatrixError(`expected one MATRIX.json, found ${args.positionals.length}`);
  }
  const matrix = readMatrix(path);
  const repeats = args.text('repeats') === undefined ? matrix.repeats : args.integer('repeats', 1, 1000);
  const shard = parseShard(args.text('shard')!);
  const all = expandMatrix(matrix);
  if (args.has('list')) {
    const label = labelCells(all);
    for (const cell of all) process.stdout.write(`${label(cell)}\n`);
    return EXIT.COMPLETED;
  }
  const plan = planRuns(refuseTooLarge(all, args), repeats, shard);
  const store = new ResultStore(args.text('out')!);
  const build = buildFacts();
  const machine = machineFacts();
  const progress = new SweepProgress({ stream: process.stderr, isTerminal: process.stderr.isTTY });
  const cancelling = new AbortController();
  const cancel = (): void => cancelling.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, cancel);
  try {
    const tally = await sweep({
      plan,
      store,
      isFresh: args.has('fresh'),
      run: (cell) => runCell(cell, { limitSeconds: matrix.limitSeconds, signal: cancelling.signal }),
      facts: () => {
        const now = { date: new Date().toISOString(), loadAtStart: loadavg()[0]! };
        return { machine: { ...machine, ...now }, build };
      },
      events: {
        onPlanned: (planned) => {
          progress.onPlanned(planned);
          const warning = otherBuilds(planned.kept, describeBuild(build));
          if (warning !== undefined) process.stderr.write(`bench: ${warning}\n`);
        },
        onStart: (run, count) => progress.onStart(run, count),
        onEnd: (run, count) => progress.onEnd(run, count),
      },
    });
    progress.clear();
    const { ran, kept, unexpected } = tally;
    process.stdout.write(
      `${matrix.title}: ${ran} runs, ${kept} kept from before, ${unexpected.length} not as expected; in ${store.directory}\n`,
    );
    return unexpected.length === 0 ? EXIT.COMPLETED : EXIT.FAILED;
  } catch (error) {
    if (!cancelling.signal.aborted) throw error;
    progress.clear();
    process.stderr.write(`bench: cancelled; the same command goes on from here\n`);
    return EXIT.CANCELLED;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, cancel);
  }
}
