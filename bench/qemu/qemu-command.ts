// `bench qemu`: a guest that writes pages at random, migrated by ours and by real QEMU in turn.
import { writeFileSync } from 'node:fs';
import type { Arguments, CommandHelp } from '../../src/cli/option-table.ts';
import { EXIT } from '../../src/cli/output.ts';
import { parseByteSize } from '../../src/machine/byte-size.ts';
import { MatrixError } from '../cells/matrix-error.ts';
import { describeMachine, machineFacts } from '../machine-facts.ts';
import { describeQemuCases, qemuCases } from './qemu-case.ts';
import { lackOfHugePages } from './qemu-process.ts';

const PAGES = { all: [4096, 2 ** 21], '4K': [4096], '2M': [2 ** 21] } as const;

/** Help and options of `bench qemu`. */
export const QEMU_HELP = {
  usage: 'npm run bench -- qemu [OPTIONS]',
  summary: 'Migrates a guest that writes pages at random, by ours and by real QEMU in turn.',
  options: {
    ram: { value: 'SIZE', doc: 'RAM of the guest; pages of 2M need it twice in huge pages', default: '512M' },
    rounds: { value: 'N', doc: 'rounds, beside one to warm up', default: '3' },
    page: { value: 'SIZE', doc: 'host pages at both ends: 4K, 2M or all', default: 'all' },
    out: { value: 'FILE', doc: 'also write every run as JSON' },
    help: { short: 'h', doc: 'print this help' },
  },
  examples: [{ doc: 'about four minutes', command: 'npm run bench -- qemu' }],
} as const satisfies CommandHelp;

/** Runs `bench qemu` and returns its exit code. @throws MatrixError where nothing of it can be run */
export async function qemuCommand(args: Arguments): Promise<number> {
  const ramBytes = parseByteSize(args.text('ram')!);
  const rounds = args.integer('rounds', 1, 100);
  const pages: readonly number[] = PAGES[args.choice('page', Object.keys(PAGES) as (keyof typeof PAGES)[])];
  const machine = machineFacts();
  if (machine.qemu === null)
    throw new MatrixError('qemu-system-x86_64 is not installed: nothing to compare with');
  const lack = lackOfHugePages(2 * ramBytes);
  const possible = pages.filter((bytes) => bytes === 4096 || lack === undefined);
  if (possible.length < pages.length) process.stderr.write(`bench: 2M PAGES ARE SKIPPED: ${lack}\n`);
  if (possible.length === 0) throw new MatrixError('nothing is left to compare');
  const settings = possible.flatMap((pageBytes) =>
    [false, true].map((preempt) => ({ ramBytes, pageBytes, preempt })),
  );
  const cases = await qemuCases(settings, {
    rounds,
    onRound: (line) => process.stderr.write(`bench: ${line}\n`),
  });
  process.stdout.write(`${describeMachine(machine)}\n\n${describeQemuCases(cases)}\n`);
  if (possible.length < pages.length) process.stdout.write(`\n2M PAGES WERE SKIPPED: ${lack}\n`);
  const path = args.text('out');
  if (path !== undefined) writeFileSync(path, `${JSON.stringify({ machine, cases }, undefined, 2)}\n`);
  return EXIT.COMPLETED;
}
