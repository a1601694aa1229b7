// `npm run bench`: the commands of the cells, and without one the benches of the product's parts (run.ts).

import { Arguments, type CommandHelp, helpText } from '../src/cli/option-table.ts';
import { EXIT } from '../src/cli/output.ts';
import { MigrationError } from '../src/errors.ts';
import { MatrixError } from './cells/matrix-error.ts';
import { COMPARE_HELP, compareCommand, REPORT_HELP, reportCommand } from './cells/report-command.ts';
import { RUN_HELP, runCommand } from './cells/run-command.ts';
import { PUBLISHED_HELP, publishedCommand } from './published/published-command.ts';
import { QEMU_HELP, qemuCommand } from './qemu/qemu-command.ts';

interface Command {
  readonly help: CommandHelp;
  readonly run: (args: Arguments) => number | Promise<number>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  run: { help: RUN_HELP, run: runCommand },
  report: { help: REPORT_HELP, run: reportCommand },
  compare: { help: COMPARE_HELP, run: compareCommand },
  qemu: { help: QEMU_HELP, run: qemuCommand },
  published: { help: PUBLISHED_HELP, run: publishedCommand },
};

function overview(): string {
  const lines = Object.entries(COMMANDS).map(([name, { help }]) => `  ${name.padEnd(10)}${help.summary}`);
  return [
    'Cells of page sizes, links, workloads and strategies (docs/bench-cells.md): npm run bench -- COMMAND --help',
    ...lines,
    '',
    'Without a command, the benches of the parts (docs/benchmarks.md):',
    '',
  ].join('\n');
}

async function runOf({ help, run }: Command, rest: readonly string[]): Promise<number> {
  try {
    const args = new Arguments(rest, help.options);
    if (!args.has('help')) return await run(args);
    process.stdout.write(helpText(help));
    return EXIT.COMPLETED;
  } catch (error) {
    if (!(error instanceof MatrixError || error instanceof MigrationError)) throw error;
    process.stderr.write(`bench: ${error.message}\n`);
    return EXIT.USAGE;
  }
}

const [name, ...rest] = process.argv.slice(2);
if (name !== undefined && Object.hasOwn(COMMANDS, name)) {
  process.exitCode = await runOf(COMMANDS[name]!, rest);
} else {
  if (name === '--help' || name === '-h') process.stdout.write(overview());
  await import('./run.ts');
}
