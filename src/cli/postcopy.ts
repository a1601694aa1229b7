#!/usr/bin/env node
// The program `postcopy`: finds the subcommand, prints help, turns errors into messages and exit codes.
import { readFileSync } from 'node:fs';
import { MemoryMapError, MigrationError, OptionError } from '../errors.ts';
import { CONFORM_HELP, conformCommand } from './conform-command.ts';
import { DEMO_HELP, demoCommand } from './demo-command.ts';
import { DESTINATION_HELP, destinationCommand } from './destination-command.ts';
import { DISSECT_HELP, dissectCommand } from './dissect-command.ts';
import { Arguments, type CommandHelp, helpText } from './option-table.ts';
import { EXIT } from './output.ts';
import { RECORD_HELP, recordCommand } from './record-command.ts';
import { SOURCE_HELP, sourceCommand } from './source-command.ts';
import { WATCH_HELP, watchCommand } from './watch-command.ts';

interface Command {
  readonly help: CommandHelp;
  readonly run: (args: Arguments) => Promise<number>;
}

/** After a command is over nothing may keep the process for longer. */
const LINGER_MS = 1000;

const COMMANDS: Readonly<Record<string, Command>> = {
  demo: { help: DEMO_HELP, run: demoCommand },
  source: { help: SOURCE_HELP, run: sourceCommand },
  destination: { help: DESTINATION_HELP, run: destinationCommand },
  dissect: { help: DISSECT_HELP, run: dissectCommand },
  record: { help: RECORD_HELP, run: recordCommand },
  watch: { help: WATCH_HELP, run: watchCommand },
  conform: { help: CONFORM_HELP, run: conformCommand },
};

function overview(): string {
  const lines = Object.entries(COMMANDS).map(([name, { help }]) => `  ${name.padEnd(14)}${help.summary}`);
  return [
    'Usage: postcopy COMMAND [OPTIONS]',
    '',
    "A laboratory for postcopy live migration: QEMU's wire format, any pair of host page sizes, every stall measured.",
    '',
    'Commands:',
    ...lines,
    '',
    'postcopy COMMAND --help tells the options. Exit codes: 0 completed, 1 failed, 2 usage, 3 cancelled,',
    '4 postcopy-paused and not recovered.',
    '',
  ].join('\n');
}

function version(): string {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(overview());
    return name === undefined ? EXIT.USAGE : EXIT.COMPLETED;
  }
  if (name === '--version') {
    process.stdout.write(`${version()}\n`);
    return EXIT.COMPLETED;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name]! : undefined;
  if (command === undefined) {
    throw new OptionError(
      'unknown-command-name',
      `expected one of ${Object.keys(COMMANDS).join(', ')}, found '${name}'`,
    );
  }
  const args = new Arguments(rest, command.help.options);
  if (args.has('help')) {
    process.stdout.write(helpText(command.help));
    return EXIT.COMPLETED;
  }
  return await command.run(args);
}

/** Before a migration has begun, bad options and RAM that cannot be are errors of usage. */
function report(error: unknown): number {
  if (!(error instanceof MigrationError)) throw error;
  process.stderr.write(`postcopy: ${error.message} (${error.code})\n`);
  if (!(error instanceof OptionError || error instanceof MemoryMapError)) return EXIT.FAILED;
  process.stderr.write("Try 'postcopy --help'.\n");
  return EXIT.USAGE;
}

process.exitCode = await main(process.argv.slice(2)).catch(report);
// A parent's message channel would keep this process alive.
if (process.connected) process.disconnect();
// A host name that is being looked up would too, for as long as the resolver tries.
setTimeout(() => process.exit(), LINGER_MS).unref();
