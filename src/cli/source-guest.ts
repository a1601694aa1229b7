// The guest that `postcopy source` migrates: built from options, or read from a recording.
import { fromErrorRecord, MigrationError, OptionError, toErrorRecord } from '../errors.ts';
import type { GuestDescription } from '../machine/guest-description.ts';
import type { RamBlockSpec, RamImage } from '../machine/ram-block.ts';
import { readTrace } from '../machine/trace.ts';
import { GUEST_PROGRAM_NAMES, MAX_VCPUS } from '../machine/vcpu-state.ts';
import { PROFILES } from '../protocol/profile.ts';
import type { RecordedPiece } from '../recording/recorded-piece.ts';
import { forwardStreams } from '../recording/recording-reader.ts';
import { readGuest } from '../replay/read-guest.ts';
import { readMachine } from '../replay/read-machine.ts';
import type { RecordedMachine } from '../replay/recorded-machine.ts';
import type { BuiltGuest, RecordedGuest } from '../source/guest-at-source.ts';
import type { GuestPages } from '../source/negotiation.ts';
import { parseBlock, parseBlockPages, VGA_VRAM } from './common-options.ts';
import { inputPieces } from './dissect-input.ts';
import { type Arguments, parsePageSize } from './option-table.ts';
import type { Output } from './output.ts';

/** A guest, the pages that it needs, and the recorded machine whose devices leave with it. */
export interface GuestToSend {
  readonly guest: BuiltGuest | RecordedGuest;
  readonly pages: GuestPages;
  readonly machine: RecordedMachine | undefined;
}

/** What makes a guest of ours, and so has no effect on a recorded one. */
const BUILDING = ['memory', 'block', 'smp', 'guest', 'trace', 'seed', 'rate', 'write-percent'] as const;
const FILLING = ['zero-percent', 'ram-image', 'warm-up', 'device-state'] as const;

/** A guest of ours. @throws OptionError, MigrationError of a recording that cannot be read */
export async function builtGuest(args: Arguments): Promise<GuestToSend> {
  if (args.positionals.length > 0)
    throw new OptionError('bad-option', `unexpected argument '${args.positionals[0]}'`);
  args.refuse(['block-page'], 'without --replay');
  if (args.has('block')) args.refuse(['memory', 'host-page'], 'where --block gives the layout');
  if (args.has('ram-image')) args.refuse(['zero-percent'], 'on RAM that is filled from --ram-image');
  const pages = parseGuestPages(args);
  const program = args.choice('guest', GUEST_PROGRAM_NAMES);
  const tracePath = args.text('trace');
  if ((program === 'trace') !== (tracePath !== undefined)) {
    throw new OptionError('option-without-effect', '--guest trace and --trace FILE go together');
  }
  const devicePath = args.text('device-state');
  const guest: BuiltGuest = {
    kind: 'built',
    blocks: parseLayout(args),
    vcpuCount: args.integer('smp', devicePath === undefined ? 1 : 0, MAX_VCPUS),
    program,
    trace: tracePath === undefined ? undefined : readTrace(tracePath),
    seed: args.integer('seed', 0, 2 ** 32 - 1),
    writePercent: args.integer('write-percent', 0, 100),
    ratePerSecond: args.integer('rate', 0, 2 ** 32 - 1),
    ramImagePath: args.text('ram-image'),
    zeroPercent: args.integer('zero-percent', 0, 100),
  };
  if (devicePath === undefined) return { guest, pages, machine: undefined };
  const profile = args.choice('profile', PROFILES);
  const machine = await readingOf(devicePath, () => readMachine(recordedPieces(devicePath), profile));
  return { guest, pages, machine };
}

/** The guest of a recording. @throws OptionError, MigrationError of a recording that is not whole */
export async function replayedGuest(args: Arguments, output: Output): Promise<GuestToSend> {
  const path = args.text('replay')!;
  const surplus = args.positionals[1];
  if (surplus !== undefined) throw new OptionError('bad-option', `unexpected argument '${surplus}'`);
  args.refuse([...BUILDING, ...FILLING], 'on the guest of a recording');
  const given = parseGuestPages(args);
  const blockPages = parseBlockPages(args);
  const pageText = args.text('host-page');
  const hostPageBytes = pageText === undefined ? undefined : parsePageSize('host-page', pageText);
  const profile = args.choice('profile', PROFILES);
  const [preemptPath] = args.positionals;
  output.show({ phase: 'read recording', doneBytes: 0, totalBytes: 0 });
  const { machine, ram, description } = await readingOf(path, () =>
    readGuest(recordedPieces(path, preemptPath), {
      profile,
      hasPreempt: preemptPath !== undefined || forwardStreams(path).preempt !== undefined,
      onWarning: (message) => output.log.warn(message),
    }),
  );
  const pages = description === undefined ? given : pagesOfOurs(args, description);
  return { guest: { kind: 'recorded', ram: backed(ram, hostPageBytes, blockPages) }, pages, machine };
}

/** The pieces of a recording. */
export function recordedPieces(path: string, preemptPath?: string): AsyncGenerator<RecordedPiece> {
  return inputPieces({ path, preemptPath, returnPath: undefined, port: undefined, follow: undefined });
}

/** Says of which recording an error is. */
export async function readingOf<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof MigrationError) || error instanceof OptionError) throw error;
    const message = error.message.includes(path) ? error.message : `recording ${path}: ${error.message}`;
    throw fromErrorRecord({ ...toErrorRecord(error), message });
  }
}

function parseGuestPages(args: Arguments): GuestPages {
  const mmu = args.choice('mmu', ['radix', 'hash']);
  if (args.text('guest-page') === undefined) {
    args.refuse(['allow-broken-pages'], 'without --guest-page');
    return { mmu, guestPageBytes: 4096 };
  }
  if (mmu === 'radix') {
    throw new OptionError(
      'option-without-effect',
      '--guest-page needs --mmu hash: a radix guest does not depend on it',
    );
  }
  return {
    mmu,
    guestPageBytes: args.pageBytes('guest-page'),
    mayRunOnBroken: args.has('allow-broken-pages'),
  };
}

/** A guest of ours tells what it needs itself. */
function pagesOfOurs(args: Arguments, { mmu, guestPageBytes }: GuestDescription): GuestPages {
  args.refuse(['mmu', 'guest-page'], 'on a recorded guest that tells its MMU itself');
  return { mmu, guestPageBytes, mayRunOnBroken: args.has('allow-broken-pages') };
}

function parseLayout(args: Arguments): RamBlockSpec[] {
  const blocks = args.texts('block').map(parseBlock);
  if (blocks.length > 0) return blocks;
  const ram: RamBlockSpec = {
    name: 'pc.ram',
    lengthBytes: args.bytes('memory'),
    hostPageBytes: parsePageSize('host-page', args.text('host-page') ?? '4K'),
    kind: 'system',
  };
  return [ram, VGA_VRAM];
}

/** The RAM with other pages behind it: firmware and tables keep theirs where a large page does not fit in. */
function backed(
  ram: RamImage,
  hostPageBytes: number | undefined,
  blockPages: ReadonlyMap<string, number>,
): RamImage {
  const names = ram.blocks.map((block) => block.name).join(', ');
  for (const name of blockPages.keys()) {
    if (ram.find(name) !== undefined) continue;
    throw new OptionError(
      'bad-option-value',
      `--block-page: expected one of the recorded blocks ${names}, found '${name}'`,
    );
  }
  const takesPage = ({ name, kind, lengthBytes }: RamBlockSpec): boolean =>
    hostPageBytes !== undefined &&
    kind === 'system' &&
    !blockPages.has(name) &&
    lengthBytes % hostPageBytes === 0;
  if (hostPageBytes !== undefined && !ram.blocks.some(({ spec }) => takesPage(spec))) {
    throw new OptionError(
      'option-without-effect',
      `--host-page has no effect where no recorded block is a multiple of it: ${names}`,
    );
  }
  return ram.onHostPages((spec) =>
    takesPage(spec) ? hostPageBytes! : (blockPages.get(spec.name) ?? spec.hostPageBytes),
  );
}
