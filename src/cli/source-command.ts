// `postcopy source`: reads its options and runs the source.
import { OptionError } from '../errors.ts';
import type { RamBlockSpec } from '../machine/ram-block.ts';
import { readTrace } from '../machine/trace.ts';
import { GUEST_PROGRAM_NAMES, MAX_VCPUS } from '../machine/vcpu-state.ts';
import { PROFILES } from '../protocol/profile.ts';
import { Source, type SourceOptions } from '../source/run-source.ts';
import type { PostcopyAfter } from '../source/switchover-policy.ts';
import { parseUri } from '../transport/uri.ts';
import { END_OPTIONS, OUTPUT_OPTIONS, parseBlock, VGA_VRAM } from './common-options.ts';
import { type Arguments, badValue, type CommandHelp } from './option-table.ts';
import { Output } from './output.ts';

/** Help and options of `postcopy source`. */
export const SOURCE_HELP = {
  usage: 'postcopy source --migrate URI [OPTIONS]',
  summary: 'Runs a guest and migrates it to a destination.',
  options: {
    migrate: { value: 'URI', doc: 'destination: tcp:HOST:PORT, unix:PATH or ws://HOST:PORT/PATH' },
    memory: {
      short: 'm',
      value: 'SIZE',
      doc: 'length of pc.ram; vga.vram of 16M with 4K pages comes with it',
      default: '512M',
    },
    'host-page': { value: 'SIZE', doc: 'host page behind pc.ram, 4K to 16G', default: '4K' },
    smp: { value: 'N', doc: 'vCPUs, 1 to 64', default: '2' },
    guest: {
      value: 'PROGRAM',
      doc: `what each vCPU does: ${GUEST_PROGRAM_NAMES.join(', ')}`,
      default: 'random',
    },
    trace: { value: 'FILE', doc: 'page accesses for --guest trace' },
    seed: { value: 'N', doc: 'seed of the guest and its RAM', default: '1' },
    rate: { value: 'N', doc: 'accesses a second of each vCPU; 0 is flat out', default: '20000' },
    'write-percent': { value: 'N', doc: 'writes per hundred accesses', default: '50' },
    'zero-percent': { value: 'N', doc: 'zero pages per hundred in the RAM at the start', default: '25' },
    mmu: {
      value: 'MMU',
      doc: 'radix, or hash: then a guest page must be contiguous in host memory',
      default: 'radix',
    },
    'guest-page': { value: 'SIZE', doc: 'largest page that a hash guest was told it may use' },
    'postcopy-after': {
      value: 'WHEN',
      doc: 'switch to postcopy: now, after N passes, no-convergence, or never; precopy that converges is finished as such',
      default: '1',
    },
    'no-postcopy-ram': { doc: 'plain precopy: nothing is advised, and page sizes do not matter' },
    'downtime-limit': { value: 'MS', doc: 'precopy has converged when the rest takes less', default: '300' },
    'max-bandwidth': {
      value: 'SIZE',
      doc: 'bytes a second before the switchover; 0 is unlimited',
      default: '0',
    },
    'max-postcopy-bandwidth': { value: 'SIZE', doc: 'the same for background pages after it', default: '0' },
    'warm-up': { value: 'MS', doc: 'how long the guest runs before the migration', default: '100' },
    ...END_OPTIONS,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    {
      doc: 'a guest on 16 MiB host pages, to a destination whose host pages may be any size',
      command: 'postcopy source --migrate tcp:127.0.0.1:4444 -m 2G --host-page 16M',
    },
    {
      doc: 'postcopy only if the dirty rate does not let precopy converge',
      command:
        'postcopy source --migrate tcp:127.0.0.1:4444 --postcopy-after no-convergence --max-bandwidth 100M',
    },
    {
      doc: 'replay the page accesses of a real program',
      command: 'postcopy source --migrate unix:/tmp/m --guest trace --trace examples/traces/sqlite3.trace.gz',
    },
  ],
} as const satisfies CommandHelp;

function parseWhen(text: string): PostcopyAfter {
  if (text === 'now') return { kind: 'immediately' };
  if (text === 'never' || text === 'no-convergence') return { kind: text };
  if (/^[1-9]\d*$/.test(text)) return { kind: 'passes', count: Number(text) };
  throw badValue('postcopy-after', 'now, a number of passes, no-convergence or never', text);
}

function parseLayout(args: Arguments): RamBlockSpec[] {
  const blocks = args.texts('block').map(parseBlock);
  if (blocks.length > 0) return blocks;
  const ram: RamBlockSpec = {
    name: 'pc.ram',
    lengthBytes: args.bytes('memory'),
    hostPageBytes: args.pageBytes('host-page'),
    kind: 'system',
  };
  return [ram, VGA_VRAM];
}

function refuseWithoutEffect(args: Arguments): void {
  if (args.has('block')) args.refuse(['memory', 'host-page'], 'where --block gives the layout');
  if (args.has('ram-image')) args.refuse(['zero-percent'], 'on RAM that is filled from --ram-image');
  if (args.has('no-postcopy-ram')) {
    args.refuse(['postcopy-after', 'max-postcopy-bandwidth'], 'with --no-postcopy-ram');
  }
  if (args.text('postcopy-after') === 'never') {
    args.refuse(['max-postcopy-bandwidth'], 'with --postcopy-after never');
  }
}

function parseSourceOptions(args: Arguments): SourceOptions {
  const uri = args.text('migrate');
  if (uri === undefined) throw new OptionError('missing-option', 'expected --migrate URI, found none');
  if (args.positionals.length > 0)
    throw new OptionError('bad-option', `unexpected argument '${args.positionals[0]}'`);
  refuseWithoutEffect(args);
  const mmu = args.choice('mmu', ['radix', 'hash']);
  const guestPage = args.text('guest-page');
  if (guestPage !== undefined && mmu === 'radix') {
    throw new OptionError(
      'option-without-effect',
      '--guest-page needs --mmu hash: a radix guest does not depend on it',
    );
  }
  const program = args.choice('guest', GUEST_PROGRAM_NAMES);
  const tracePath = args.text('trace');
  if ((program === 'trace') !== (tracePath !== undefined)) {
    throw new OptionError('option-without-effect', '--guest trace and --trace FILE go together');
  }
  return {
    uri: parseUri(uri),
    guest: {
      blocks: parseLayout(args),
      vcpuCount: args.integer('smp', 1, MAX_VCPUS),
      program,
      trace: tracePath === undefined ? undefined : readTrace(tracePath),
      seed: args.integer('seed', 0, 2 ** 32 - 1),
      writePercent: args.integer('write-percent', 0, 100),
      ratePerSecond: args.integer('rate', 0, 2 ** 32 - 1),
      ramImagePath: args.text('ram-image'),
      zeroPercent: args.integer('zero-percent', 0, 100),
    },
    outgoing: {
      machine: args.text('machine') ?? 'none',
      postcopyRam: !args.has('no-postcopy-ram'),
      negotiate: !args.has('no-negotiate'),
      postcopyAfter: parseWhen(args.text('postcopy-after')!),
      downtimeLimitNs: args.integer('downtime-limit', 0) * 1e6,
      guest: { mmu, guestPageBytes: guestPage === undefined ? 4096 : args.pageBytes('guest-page') },
    },
    profile: args.choice('profile', PROFILES),
    timeoutMs: args.integer('timeout', 1),
    maxBandwidth: args.bytes('max-bandwidth'),
    maxPostcopyBandwidth: args.bytes('max-postcopy-bandwidth'),
    recordPath: args.text('record'),
    warmUpMs: args.integer('warm-up', 0),
    verify: !args.has('no-verify'),
  };
}

/** Runs `postcopy source` and returns its exit code. @throws OptionError */
export async function sourceCommand(args: Arguments): Promise<number> {
  const options = parseSourceOptions(args);
  const output = new Output('source', args);
  const source = new Source(options, output.events());
  const stopListening = output.onInterrupt((count) => source.cancel(count > 1));
  try {
    return output.finish(await source.run());
  } finally {
    stopListening();
  }
}
