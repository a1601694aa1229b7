// The command line: help, usage errors, where output goes, and the exit codes.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { CONFORM_HELP, conformCommand } from '../../src/cli/conform-command.ts';
import { DEMO_HELP, demoCommand } from '../../src/cli/demo-command.ts';
import { DESTINATION_HELP, destinationCommand } from '../../src/cli/destination-command.ts';
import { Arguments, type CommandHelp } from '../../src/cli/option-table.ts';
import { SOURCE_HELP, sourceCommand } from '../../src/cli/source-command.ts';
import { WATCH_HELP, watchCommand } from '../../src/cli/watch-command.ts';
import { readCapture, readText, repositoryUrl } from '../fixtures.ts';
import { runProgram, startProgram } from './run-program.ts';
import { validateResult } from './validate-result.ts';

interface Command {
  readonly help: CommandHelp;
  readonly run: (args: Arguments) => Promise<number>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  demo: { help: DEMO_HELP, run: demoCommand },
  source: { help: SOURCE_HELP, run: sourceCommand },
  destination: { help: DESTINATION_HELP, run: destinationCommand },
  conform: { help: CONFORM_HELP, run: conformCommand },
  watch: { help: WATCH_HELP, run: watchCommand },
};
/** Nobody listens on the port of tcpmux. */
const NOBODY = 'tcp:127.0.0.1:1';
const CONFORM = ['conform', 'destination'] as const;
const CAPTURE = fileURLToPath(
  repositoryUrl('test/fixtures/captures/a2-precopy-none-returnpath.c0.fwd.bin.gz'),
);
const MISMATCH = fileURLToPath(repositoryUrl('test/fixtures/captures/e2-mismatch-2m-to-4k.c0.fwd.bin.gz'));

const directory = mkdtempSync(join(tmpdir(), 'postcopy-cli-'));
t.teardown(() => rmSync(directory, { recursive: true }));

for (const [name, { help }] of Object.entries(COMMANDS)) {
  t.test(`${name} --help tells every option and has examples`, async (t) => {
    const { exitCode, stdout, stderr } = await runProgram(name, '--help');
    t.equal(exitCode, 0);
    t.equal(stderr, '');
    t.match(stdout, `Usage: ${help.usage}`);
    for (const [option, spec] of Object.entries(help.options)) {
      const value = spec.value === undefined ? '' : ` ${spec.value}`;
      t.ok(
        stdout.split('\n').some((line) => line.includes(`--${option}${value}`)),
        `--${option}${value}`,
      );
      if (spec.default !== undefined) t.match(stdout.replaceAll(/\s+/g, ' '), `(default ${spec.default})`);
    }
    for (const example of help.examples) t.match(stdout, `  # ${example.doc}\n  ${example.command}\n`);
    t.notOk(stdout.includes('\x1b'));
  });
}

t.test('an option may stand without its value where it has one for that', async (t) => {
  const read = (...args: string[]): string | undefined =>
    new Arguments(args, DEMO_HELP.options).text('watch');
  t.equal(read('--watch'), '127.0.0.1:0');
  t.equal(read('--watch', '--json'), '127.0.0.1:0');
  t.equal(read('--watch', '8080'), '8080');
  t.equal(read('--watch=0.0.0.0:80'), '0.0.0.0:80');
  t.equal(read('--json'), undefined);
});

t.test('the overview names each command, the version is that of the package', async (t) => {
  for (const word of ['--help', '-h', 'help']) {
    const { exitCode, stdout } = await runProgram(word);
    t.equal(exitCode, 0);
    for (const [name, { help }] of Object.entries(COMMANDS))
      t.match(stdout, `${name.padEnd(14)}${help.summary}`);
  }
  const { exitCode, stdout } = await runProgram('--version');
  t.equal(exitCode, 0);
  t.equal(stdout, `${JSON.parse(readText('package.json')).version}\n`);
  t.equal((await runProgram()).exitCode, 2, 'no command is an error of usage');
});

const SOURCE = ['source', '--migrate', NOBODY];
const DESTINATION = ['destination', '--incoming', 'tcp:127.0.0.1:0'];
const COLLAPSE = [...DESTINATION, ...['--host-page', '1G', '--placement-page', '64K', '--collapse-at']];
const REPLAY = ['destination', '--replay', CAPTURE];
const NO_POSTCOPY = [...SOURCE, '--no-postcopy-ram'];
const PULL = [...SOURCE, '--push', 'none', '--push-after'];
const RECORDED = [...SOURCE, '--push', 'recorded', '--push-faults'];
const GOOD_FAULT = { block: 'pc.ram', hostPage: 0, pageBytes: 4096 };

/** A file for --push-faults. */
function faultsFile(name: string, result: unknown): string {
  const path = join(directory, `${name}.json`);
  writeFileSync(path, JSON.stringify(result));
  return path;
}

const USAGE_ERRORS: readonly (readonly [code: string, words: string, ...args: string[]])[] = [
  [
    'unknown-command-name',
    "expected one of demo, source, destination, dissect, record, watch, conform, found 'migrate'",
    'migrate',
  ],
  ['bad-option', "'--bla'", ...SOURCE, '--bla'],
  ['bad-option', '--migrate', 'source', '--migrate'],
  ['bad-option', "unexpected argument 'x'", ...SOURCE, 'x'],
  ['bad-option', "unexpected argument 'x'", ...DESTINATION, 'x'],
  ['bad-option', "unexpected argument 'x'", 'demo', 'x'],
  ['missing-option', 'expected --migrate URI', 'source'],
  ['missing-option', 'either --incoming URI or --replay RECORDING', 'destination'],
  ['missing-option', 'either --incoming URI or --replay RECORDING', ...REPLAY, '--incoming', NOBODY],
  ['bad-uri', "found 'here'", 'source', '--migrate', 'here'],
  ['bad-uri', "found 'tcp:h:65536'", 'source', '--migrate', 'tcp:h:65536'],
  [
    'bad-option-value',
    "--memory: expected a size such as 4096, 4K, 16M or 1G, found 'big'",
    ...SOURCE,
    '-m',
    'big',
  ],
  ['bad-option-value', '--host-page: expected a power of two from 4K to 16G', ...SOURCE, '--host-page', '3K'],
  [
    'bad-option-value',
    '--host-page: expected a power of two from 4K to 16G',
    ...DESTINATION,
    '--host-page',
    '32G',
  ],
  ['bad-option-value', '--block-page: expected NAME=SIZE', ...DESTINATION, '--block-page', 'ram'],
  ['bad-option-value', '--block: expected NAME=SIZE@PAGE[,device]', ...DESTINATION, '--block', 'ram=1G'],
  ['bad-option-value', "--smp: expected a whole number from 1 to 64, found '0'", ...SOURCE, '--smp', '0'],
  [
    'bad-option-value',
    "--smp: expected a whole number from 0 to 64, found '65'",
    ...DESTINATION,
    '--smp',
    '65',
  ],
  ['bad-option-value', '--guest: expected sequential, random', ...SOURCE, '--guest', 'linux'],
  ['bad-option-value', '--mmu: expected radix, hash', ...SOURCE, '--mmu', 'none'],
  ['bad-option-value', '--postcopy-after: expected now', ...SOURCE, '--postcopy-after', '0'],
  ['bad-option-value', '--profile: expected 7.2, 10.x, strict', ...DESTINATION, '--profile', '6.0'],
  [
    'bad-option-value',
    "--touch: expected ascending, descending, random, found 'up'",
    ...DESTINATION,
    '--touch',
    'up',
  ],
  [
    'bad-option-value',
    '--touch-seed: expected a whole number from 0 to 4294967295',
    ...DESTINATION,
    '--touch',
    'random',
    '--touch-seed',
    'x',
  ],
  ['bad-option-value', '--log-level: expected trace', ...SOURCE, '--log-level', 'loud'],
  ['bad-option-value', '--scenario: expected power8-to-power9', 'demo', '--scenario', 'x'],
  ['bad-option-value', '--transport: expected tcp, unix, ws', 'demo', '--transport', 'udp'],
  ['bad-ram-block', 'must be a multiple of the host page 2M', ...SOURCE, '-m', '3M', '--host-page', '2M'],
  ['guest-page-too-large', 'at the source', ...SOURCE, '--mmu', 'hash', '--guest-page', '16M'],
  ['option-without-effect', '--guest-page needs --mmu hash', ...SOURCE, '--guest-page', '16M'],
  ['option-without-effect', '--guest trace and --trace FILE', ...SOURCE, '--guest', 'trace'],
  ['option-without-effect', '--guest trace and --trace FILE', ...SOURCE, '--trace', CAPTURE],
  [
    'option-without-effect',
    '--host-page has no effect',
    ...SOURCE,
    '--block',
    'a=1M@4K',
    '--host-page',
    '4K',
  ],
  [
    'option-without-effect',
    '--zero-percent has no effect',
    ...SOURCE,
    '--ram-image',
    CAPTURE,
    '--zero-percent',
    '1',
  ],
  [
    'option-without-effect',
    '--postcopy-after has no effect',
    ...SOURCE,
    '--no-postcopy-ram',
    '--postcopy-after',
    '1',
  ],
  [
    'option-without-effect',
    '--max-postcopy-bandwidth has no effect',
    ...[...SOURCE, '--postcopy-after', 'never', '--max-postcopy-bandwidth', '1M'],
  ],
  [
    'option-without-effect',
    '--touch-seed has no effect without --touch random',
    ...DESTINATION,
    '--touch',
    'ascending',
    '--touch-seed',
    '2',
  ],
  ['bad-option-value', '--push: expected none, sequential, forward', ...SOURCE, '--push', 'bubble-65'],
  ['bad-option-value', '--push-after: expected less than --timeout, 500', ...PULL, '500', '--timeout', '500'],
  ['bad-option-value', '--push-after: expected a whole number of at least 1', ...PULL, '0'],
  ['missing-option', 'expected --push-faults FILE', ...SOURCE, '--push', 'recorded'],
  ['option-without-effect', '--push has no effect with --no-postcopy-ram', ...NO_POSTCOPY, '--push', 'none'],
  [
    'option-without-effect',
    '--push has no effect with --postcopy-after never',
    ...[...SOURCE, '--postcopy-after', 'never', '--push', 'none'],
  ],
  ['option-without-effect', '--push-after has no effect without --push none', ...SOURCE, '--push-after', '9'],
  [
    'option-without-effect',
    '--push-faults has no effect without --push recorded',
    ...[...SOURCE, '--push-faults', CAPTURE],
  ],
  [
    'option-without-effect',
    '--push hot-first has no effect on a guest that does not run here',
    ...['source', '--migrate', NOBODY, '--replay', CAPTURE, '--push', 'hot-first'],
  ],
  ['bad-option-value', '--push-piece: expected a power of two from 4K', ...SOURCE, '--push-piece', '3M'],
  ['bad-option-value', '--push-rest-first: expected on, off', ...SOURCE, '--push-rest-first', 'maybe'],
  [
    'option-without-effect',
    '--push-piece has no effect with --push none',
    ...[...SOURCE, '--push', 'none', '--push-piece', '2M'],
  ],
  [
    'option-without-effect',
    '--push-rest-first has no effect with --push none',
    ...[...SOURCE, '--push', 'none', '--push-rest-first', 'on'],
  ],
  [
    'option-without-effect',
    '--push-rest-first has no effect with --no-negotiate',
    ...[...SOURCE, '--no-negotiate', '--push-rest-first', 'off'],
  ],
  ['option-without-effect', '--collapse-at has no effect', ...DESTINATION, '--collapse-at', '2M'],
  ['bad-option-value', '--collapse-at: expected a power of two', ...COLLAPSE, '3M'],
  ['bad-option-value', '--collapse-at: expected SIZE or SIZE=US', ...COLLAPSE, '2M=soon'],
  [
    'bad-option-value',
    '--collapse-at: expected a size between 64K of --placement-page and the largest host page, 1G',
    ...[...COLLAPSE, '64K'],
  ],
  ['bad-option-value', 'and the largest host page, 1G, found', ...COLLAPSE, '1G=7'],
  ['bad-option-value', '--collapse-at: expected each size once', ...COLLAPSE, '2M', '--collapse-at', '2M=3'],
  ['cannot-read-push-faults', 'no such file', ...RECORDED, join(directory, 'none')],
  ['bad-push-faults', 'JSON', ...RECORDED, CAPTURE],
  ['bad-push-faults', 'faults of a destination', ...RECORDED, faultsFile('none', {})],
  ['bad-push-faults', 'faults of a destination', ...RECORDED, faultsFile('null', null)],
  [
    'bad-push-faults',
    'expected block, hostPage and pageBytes in fault 1',
    ...[...RECORDED, faultsFile('odd', { faults: [GOOD_FAULT, { ...GOOD_FAULT, hostPage: -1 }] })],
  ],
  [
    'bad-push-faults',
    "expected pages of the guest that is to be migrated, found 0+4096 of 'ram0' in fault 0",
    ...[...RECORDED, faultsFile('other', { faults: [{ ...GOOD_FAULT, block: 'ram0' }] })],
  ],
  [
    'bad-push-faults',
    "found 536870912+4096 of 'pc.ram' in fault 0",
    ...[...RECORDED, faultsFile('far', { faults: [{ ...GOOD_FAULT, hostPage: 131_072 }] })],
  ],
  ['option-without-effect', '--replies has no effect without --replay', ...DESTINATION, '--replies', 'x'],
  ['option-without-effect', '--timeout has no effect on a replay', ...REPLAY, '--timeout', '1'],
  ['option-without-effect', '--touch has no effect on a replay', ...REPLAY, '--touch', 'random'],
  [
    'option-without-effect',
    '--postcopy-preempt has no effect on a replay without',
    ...REPLAY,
    '--postcopy-preempt',
  ],
  [
    'option-without-effect',
    '--block-page has no effect',
    ...REPLAY,
    '--block',
    'a=1M@4K',
    '--block-page',
    'a=4K',
  ],
  ['option-without-effect', '--ram-image has no effect', ...REPLAY, '--no-verify', '--ram-image', CAPTURE],
  ['option-without-effect', '--faults has no effect without --json', ...REPLAY, '--faults'],
  ['missing-option', 'expected destination or source, found neither', 'conform'],
  ['missing-option', 'expected either --spawn', 'conform', 'source'],
  ['missing-uri', 'expected {uri} in the command', 'conform', 'source', '--spawn', 'true'],
  ['unknown-rule', "expected a rule of the source, found 'D1'", 'conform', 'source', '--rule', 'D1'],
  ['bad-option-value', '--variant: expected NAME=COMMAND', ...CONFORM, '--spawn', '{uri}', '--variant', 'x'],
  ['bad-option-value', '--blocks: expected NAME=SIZE:PAGE', ...CONFORM, '--to', NOBODY, '--blocks', 'ram0'],
  [
    'bad-option-value',
    '--blocks: expected a multiple of 2M',
    ...CONFORM,
    '--to',
    NOBODY,
    '--blocks',
    'a=3M:2M',
  ],
  ['option-without-effect', '--listen has no effect on a destination', ...CONFORM, '--listen', NOBODY],
  ['option-without-effect', '--jobs has no effect with --to', ...CONFORM, '--to', NOBODY, '--jobs', '1'],
  ['missing-option', 'expected --source URL, --destination URL, or the FILE of a saved run', 'watch'],
  ['bad-option-value', '--source: expected the URL of a feed', 'watch', '--source', 'http://127.0.0.1/'],
  ['bad-option-value', '--watch: expected [HOST:]PORT', ...DESTINATION, '--watch', 'x:y'],
  ['bad-saved-run', 'is no saved run', 'watch', CAPTURE],
  ['option-without-effect', '--control has no effect on a saved run', 'watch', CAPTURE, '--control'],
  ['option-without-effect', '--control has no effect without a page to --watch', 'demo', '--control'],
  [
    'option-without-effect',
    '--watch-peer has no effect without a page to --watch',
    ...DESTINATION,
    '--watch-peer',
    'ws://h/feed',
  ],
  ['option-without-effect', '--spawn has no effect with --list', ...CONFORM, '--list', '--spawn', '{uri}'],
];

t.test('errors of usage: exit code 2, a message with its code on stderr, nothing on stdout', async (t) => {
  const seen = new Set<string>();
  for (const [code, words, ...args] of USAGE_ERRORS) {
    const [name, ...rest] = args;
    const command = COMMANDS[name!];
    if (command !== undefined) {
      const run = async () => await command.run(new Arguments(rest, command.help.options));
      await t.rejects(run(), { code, message: words }, args.join(' '));
    }
    // Starting a process takes most of the time, so each code is shown by the program once.
    if (seen.has(code)) continue;
    seen.add(code);
    const { exitCode, stdout, stderr } = await runProgram(...args);
    t.equal(exitCode, 2, args.join(' '));
    t.equal(stdout, '');
    t.match(stderr, `(${code})`);
    t.match(stderr, words);
    t.match(stderr, /^postcopy: .*\nTry 'postcopy --help'\.\n$/, 'one line, and where to look');
  }
});

t.test('in a pipe: no escape sequences, lines that fit', async (t) => {
  const { exitCode, stdout, stderr } = await runProgram(...REPLAY);
  t.equal(exitCode, 0);
  t.match(stdout, /^destination: completed, guest not verified in /);
  t.notOk(stdout.includes('\x1b') || stderr.includes('\x1b') || stderr.includes('\r'));
  for (const line of [...stdout.split('\n'), ...stderr.split('\n')]) t.ok(line.length <= 100, line);
});

t.test('--json: one object on stdout and nothing else, logs as JSON lines on stderr', async (t) => {
  const { exitCode, stdout, stderr } = await runProgram(...REPLAY, '--json', '--log-level', 'debug');
  t.equal(exitCode, 0);
  t.equal(validateResult(stdout).status, 'completed');
  const lines = stderr.trim().split('\n');
  t.ok(lines.length > 0);
  for (const line of lines) {
    t.match(JSON.parse(line), { level: Number, time: Number, name: 'destination', msg: String });
  }
});

t.test(
  'exit code 1: a destination that refused, and a source that nobody heard, both with their result',
  async (t) => {
    const refused = await runProgram('destination', '--replay', MISMATCH, '--json', '--faults');
    t.equal(refused.exitCode, 1);
    t.match(validateResult(refused.stdout), { status: 'failed', error: { code: 'page-sizes-differ' } });
    const alone = await runProgram(...SOURCE, '-m', '1M', '--json');
    t.equal(alone.exitCode, 1);
    t.match(validateResult(alone.stdout), {
      status: 'failed',
      role: 'source',
      error: { code: 'connection-refused' },
      guestAtSource: { isProved: true },
    });
    const unread = await runProgram('destination', '--replay', join(directory, 'none'), '--json');
    t.equal(unread.exitCode, 1);
    t.match(validateResult(unread.stdout), { error: { code: 'cannot-read-recording' } });
  },
);

t.test('exit code 3: cancelled by a signal', async (t) => {
  const child = startProgram([...DESTINATION, '--json', '--log-level', 'info']);
  const stdout = text(child.stdout);
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stderr })) {
    if ((JSON.parse(line) as { msg: string }).msg === 'listening') break;
  }
  child.kill('SIGINT');
  await exited;
  t.equal(child.exitCode, 3);
  t.match(validateResult(await stdout), { status: 'cancelled', error: { code: 'cancelled' } });
});

t.test('exit code 4: a stream that breaks off after RUN leaves the guest paused', async (t) => {
  const bytes = readCapture('b1-postcopy-4k-none.c0.fwd');
  const half = join(directory, 'half.bin');
  writeFileSync(half, bytes.subarray(0, bytes.length / 2));
  const { exitCode, stdout } = await runProgram('destination', '--replay', half, '--json');
  t.equal(exitCode, 4);
  t.match(validateResult(stdout), { status: 'postcopy-paused', error: { code: 'truncated' } });
});
