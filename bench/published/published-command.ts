// `bench published`: what others have published, beside the kept runs of the matrix of that name.
import type { Arguments, CommandHelp } from '../../src/cli/option-table.ts';
import { EXIT } from '../../src/cli/output.ts';
import { readMatrix } from '../cells/matrix.ts';
import { MatrixError } from '../cells/matrix-error.ts';
import { summariesIn, summariesOf } from '../cells/report-command.ts';
import { DEFAULT_DIRECTORY } from '../cells/run-command.ts';
import { publishedTable } from './published-table.ts';

const MATRIX = new URL('../../../bench/matrices/published.json', import.meta.url).pathname;

/** Help and options of `bench published`. */
export const PUBLISHED_HELP = {
  usage: 'npm run bench -- published [DIR]',
  summary: `Puts the runs of bench/matrices/published.json in a directory (default ${DEFAULT_DIRECTORY}) beside what others have published.`,
  options: { help: { short: 'h', doc: 'print this help' } },
  examples: [
    { doc: 'measure', command: 'npm run bench -- run bench/matrices/published.json' },
    { doc: 'and compare', command: 'npm run bench -- published' },
  ],
} as const satisfies CommandHelp;

/** Runs `bench published` and returns its exit code. @throws MatrixError if none of its cells was run */
export function publishedCommand(args: Arguments): number {
  const [directory = DEFAULT_DIRECTORY, surplus] = args.positionals;
  if (surplus !== undefined) throw new MatrixError(`expected one directory, found '${surplus}' as well`);
  const { found } = summariesOf(readMatrix(MATRIX), summariesIn(directory));
  if (found.length === 0) throw new MatrixError(`${directory}: no cell of ${MATRIX} has been run`);
  process.stdout.write(`${publishedTable(found)}\n`);
  return EXIT.COMPLETED;
}
