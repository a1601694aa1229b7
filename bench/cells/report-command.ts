// `bench report` and `bench compare`: what the kept runs say.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Arguments, CommandHelp } from '../../src/cli/option-table.ts';
import { EXIT } from '../../src/cli/output.ts';
import { cellKey } from './cell-key.ts';
import { type CellSummary, summariseCells } from './cell-summary.ts';
import { compareResults, describeComparison } from './compare-results.ts';
import { expandMatrix } from './expand.ts';
import { type Matrix, readMatrix } from './matrix.ts';
import { MatrixError } from './matrix-error.ts';
import { reportCsv } from './report-csv.ts';
import { reportHtml } from './report-html.ts';
import { reportTable } from './report-table.ts';
import { ResultStore } from './result-store.ts';
import { DEFAULT_DIRECTORY } from './run-command.ts';

/** Help and options of `bench report`. */
export const REPORT_HELP = {
  usage: 'npm run bench -- report [DIR] [OPTIONS]',
  summary: `Tells what the runs in a directory (default ${DEFAULT_DIRECTORY}) gave, cell by cell.`,
  options: {
    matrix: { value: 'FILE', doc: 'only the cells of this matrix, in its order' },
    csv: { value: 'FILE', doc: 'also write all figures as CSV' },
    html: { value: 'FILE', doc: 'where to write the page with plots (default DIR/report.html)' },
    help: { short: 'h', doc: 'print this help' },
  },
  examples: [
    { doc: 'a table, and the page results/report.html', command: 'npm run bench -- report' },
    { doc: 'one matrix of several', command: 'npm run bench -- report --matrix bench/matrices/quick.json' },
  ],
} as const satisfies CommandHelp;

/** Help and options of `bench compare`. */
export const COMPARE_HELP = {
  usage: 'npm run bench -- compare A B',
  summary: 'Compares the runs in two directories cell by cell: B over A.',
  options: { help: { short: 'h', doc: 'print this help' } },
  examples: [
    { doc: 'before and after a change', command: 'npm run bench -- compare results-before results' },
  ],
} as const satisfies CommandHelp;

/** The cells of a directory. @throws MatrixError if there are none */
export function summariesIn(directory: string): CellSummary[] {
  const summaries = summariseCells(new ResultStore(directory).load());
  if (summaries.length === 0)
    throw new MatrixError(`${directory}: expected results of bench run, found none`);
  return summaries;
}

/** The cells of a matrix that were run, in its order, and how many were not. */
export function summariesOf(
  matrix: Matrix,
  summaries: readonly CellSummary[],
): { found: CellSummary[]; missing: number } {
  const byKey = new Map(summaries.map((summary) => [summary.key, summary]));
  const cells = expandMatrix(matrix).map((cell) => byKey.get(cellKey(cell)));
  const found = cells.filter((summary) => summary !== undefined);
  return { found, missing: cells.length - found.length };
}

/** Runs `bench report` and returns its exit code. @throws MatrixError, OptionError */
export function reportCommand(args: Arguments): number {
  const [directory = DEFAULT_DIRECTORY, surplus] = args.positionals;
  if (surplus !== undefined) throw new MatrixError(`expected one directory, found '${surplus}' as well`);
  let summaries = summariesIn(directory);
  let title = `postcopy: cells of ${directory}`;
  const matrixPath = args.text('matrix');
  if (matrixPath !== undefined) {
    const matrix = readMatrix(matrixPath);
    const { found, missing } = summariesOf(matrix, summaries);
    if (missing > 0) process.stderr.write(`bench: ${missing} cells of ${matrixPath} have not been run\n`);
    if (found.length === 0) throw new MatrixError(`${directory}: no cell of ${matrixPath} has been run`);
    summaries = found;
    title = matrix.title;
  }
  process.stdout.write(`${reportTable(summaries)}\n`);
  const write = (path: string, content: string): void => {
    try {
      writeFileSync(path, content);
    } catch (error) {
      throw new MatrixError((error as Error).message);
    }
    process.stderr.write(`bench: wrote ${path}\n`);
  };
  const csvPath = args.text('csv');
  if (csvPath !== undefined) write(csvPath, reportCsv(summaries));
  write(args.text('html') ?? join(directory, 'report.html'), reportHtml(summaries, title));
  return EXIT.COMPLETED;
}

/** Runs `bench compare` and returns its exit code. @throws MatrixError, OptionError */
export function compareCommand(args: Arguments): number {
  const [before, after, surplus] = args.positionals;
  if (before === undefined || after === undefined || surplus !== undefined) {
    throw new MatrixError(`expected two directories A and B, found ${args.positionals.length}`);
  }
  const comparison = compareResults(summariesIn(before), summariesIn(after));
  process.stdout.write(`${describeComparison(comparison, { before, after })}\n`);
  return EXIT.COMPLETED;
}
