// `postcopy source`: reads its options and runs the source.
import { OptionError } from '../errors.ts';
import { GUEST_PROGRAM_NAMES } from '../machine/vcpu-state.ts';
import { PROFILES } from '../protocol/profile.ts';
import { type FlightLimit, LEAST_FLIGHT_BYTES } from '../source/flight-window.ts';
import type { OutgoingOptions } from '../source/outgoing.ts';
import { Source, type SourceOptions } from '../source/run-source.ts';
import type { PostcopyAfter } from '../source/switchover-policy.ts';
import { parseUri } from '../transport/uri.ts';
import { END_OPTIONS, OUTPUT_OPTIONS } from './common-options.ts';
import { FEED_OPTIONS, type FeedPlan, feedPlanOf, HOLD_OPTION } from './feed-options.ts';
import { LINK_OPTIONS, linkOf } from './link-options.ts';
import { type Arguments, badValue, type CommandHelp } from './option-table.ts';
import { EXIT, Output } from './output.ts';
import { PUSH_OPTIONS, parsePush } from './push-options.ts';
import { joinEvents, serveFeed } from './serve-feed.ts';
import { watchOf } from './serve-watch.ts';
import { SourceFeed } from './source-feed.ts';
import { builtGuest, replayedGuest } from './source-guest.ts';
import { WATCH_OPTION, WATCH_PEER_OPTION } from './watch-options.ts';

/** Help and options of `postcopy source`. */
export const SOURCE_HELP = {
  usage: 'postcopy source --migrate URI [OPTIONS]',
  summary: 'Runs a guest and migrates it to a destination.',
  options: {
    migrate: { value: 'URI', doc: 'destination: tcp:HOST:PORT, unix:PATH or ws://HOST:PORT/PATH' },
    replay: {
      value: 'RECORDING',
      doc: 'migrate the guest of a recorded migration, RAM and devices: a directory or NAME of `postcopy record` or --record, or the file of a main stream, plain or gzip; a second file is its preempt channel',
    },
    'device-state': {
      value: 'RECORDING',
      doc: 'send the machine type, configuration and devices of a recorded machine in place of our own; its RAM is that of the options',
    },
    memory: {
      short: 'm',
      value: 'SIZE',
      doc: 'length of pc.ram; vga.vram of 16M with 4K pages comes with it',
      default: '512M',
    },
    'host-page': {
      value: 'SIZE',
      doc: 'host page behind pc.ram, 4K to 16G (default 4K); with --replay behind every block that is a multiple of it and not named (default as recorded)',
    },
    'block-page': { value: 'NAME=SIZE', multiple: true, doc: 'with --replay: host page behind one block' },
    smp: { value: 'N', doc: 'vCPUs, 1 to 64; 0 with --device-state lets nothing run here', default: '2' },
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
    'allow-broken-pages': {
      doc: 'let a hash guest run while the host pages behind its largest pages come in smaller pieces (destination --placement-page)',
    },
    'postcopy-after': {
      value: 'WHEN',
      doc: 'switch to postcopy: now, after N passes, no-convergence, or never; precopy that converges is finished as such (default 1; with --replay now, for a guest that stands still converges at once)',
    },
    'no-postcopy-ram': { doc: 'plain precopy: nothing is advised, and page sizes do not matter' },
    'downtime-limit': { value: 'MS', doc: 'precopy has converged when the rest takes less', default: '300' },
    'max-bandwidth': {
      value: 'SIZE',
      doc: 'bytes a second before the switchover; 0 is unlimited',
      default: '0',
    },
    'postcopy-preempt': {
      doc: 'send requested pages over a connection of their own: opened at set-up, or at the switchover with --profile 10.x',
    },
    'break-huge': {
      value: 'on|off',
      doc: 'with --postcopy-preempt: whether a request interrupts the background page under way',
      default: 'on',
    },
    'max-flight': {
      value: 'SIZE|auto|0',
      doc: 'background bytes that may be under way before a PING among them is answered; auto follows the link, 0 is without bounds as in QEMU',
      default: 'auto',
    },
    'max-postcopy-bandwidth': { value: 'SIZE', doc: 'the same for background pages after it', default: '0' },
    ...LINK_OPTIONS,
    ...PUSH_OPTIONS,
    requests: {
      doc: 'with --json: list every page request with what it waited for here (docs/anatomy.md)',
    },
    'connect-timeout': {
      value: 'MS',
      doc: 'how long to try again while nobody listens at the destination yet, or its name is not known; the guest runs meanwhile. 0 is one attempt',
      default: '0',
    },
    'warm-up': { value: 'MS', doc: 'how long the guest runs before the migration', default: '100' },
    ...END_OPTIONS,
    ...FEED_OPTIONS,
    ...WATCH_OPTION,
    ...WATCH_PEER_OPTION,
    ...HOLD_OPTION,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    {
      doc: 'a guest on 16 MiB host pages, to a destination whose host pages may be any size',
      command: 'postcopy source --migrate tcp:127.0.0.1:4444 -m 2G --host-page 16M',
    },
    {
      doc: 'to a destination that is started in the next half minute',
      command: 'postcopy source --migrate tcp:destination:4444 --connect-timeout 30000',
    },
    {
      doc: 'postcopy only if the dirty rate does not let precopy converge',
      command:
        'postcopy source --migrate tcp:127.0.0.1:4444 --postcopy-after no-convergence --max-bandwidth 100M',
    },
    {
      doc: 'the same over an emulated link of 10 Gbit/s, with 1 Gbit/s back',
      command:
        'postcopy source --migrate tcp:127.0.0.1:4444 -m 2G --host-page 16M --link 10gbit/1gbit --rtt 100us',
    },
    {
      doc: 'a guest recorded from QEMU on 4 KiB pages, on to a QEMU with 2 MiB pages behind ram0',
      command: 'postcopy source --replay recording --block-page ram0=2M --migrate tcp:127.0.0.1:4444',
    },
    {
      doc: 'RAM of our own into a QEMU -machine none,memory-backend=ram0 -m 64M, with the devices that it expects',
      command: 'postcopy source --device-state recording --block ram0=64M@4K --migrate tcp:127.0.0.1:4444',
    },
    {
      doc: 'push the neighbours of the last four requests on both sides, where QEMU goes on behind the last one',
      command: 'postcopy source --migrate tcp:127.0.0.1:4444 --push bubble-4',
    },
    {
      doc: '4 KiB on demand and 2 MiB in the background, to a destination with --placement-page 4K --collapse-at 2M',
      command: 'postcopy source --migrate tcp:127.0.0.1:4444 -m 2G --host-page 16M --push-piece 2M',
    },
    {
      doc: 'the page accesses of a real program',
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

/** Options of what comes after the switchover. */
const AFTER_SWITCHOVER = [
  ...['max-postcopy-bandwidth', 'postcopy-preempt', 'break-huge', 'max-flight'],
  ...Object.keys(PUSH_OPTIONS),
];

function refuseWithoutEffect(args: Arguments): void {
  if (args.has('no-postcopy-ram')) {
    args.refuse(['postcopy-after', ...AFTER_SWITCHOVER], 'with --no-postcopy-ram');
  }
  if (args.text('postcopy-after') === 'never') args.refuse(AFTER_SWITCHOVER, 'with --postcopy-after never');
  if (!args.has('json')) args.refuse(['requests'], 'without --json');
  if (!args.has('postcopy-preempt')) args.refuse(['break-huge'], 'without --postcopy-preempt');
}

function parseFlight(args: Arguments): FlightLimit {
  if (args.text('max-flight') === 'auto') return 'auto';
  const bytes = args.bytes('max-flight');
  if (bytes === 0) return 'unbounded';
  if (bytes >= LEAST_FLIGHT_BYTES) return bytes;
  throw badValue('max-flight', 'at least 64K, auto or 0', args.text('max-flight')!);
}

function parsePreempt(args: Arguments): OutgoingOptions['preempt'] {
  if (!args.has('postcopy-preempt')) return 'none';
  return args.choice('profile', PROFILES) === '10.x' ? 'at-switchover' : 'at-setup';
}

async function parseSourceOptions(args: Arguments, output: Output): Promise<SourceOptions> {
  const uri = args.text('migrate');
  if (uri === undefined) throw new OptionError('missing-option', 'expected --migrate URI, found none');
  refuseWithoutEffect(args);
  const options = {
    uri: parseUri(uri),
    profile: args.choice('profile', PROFILES),
    timeoutMs: args.integer('timeout', 1),
    connectTimeoutMs: args.integer('connect-timeout', 0),
    maxBandwidth: args.bytes('max-bandwidth'),
    maxPostcopyBandwidth: args.bytes('max-postcopy-bandwidth'),
    link: linkOf(args),
    recordPath: args.text('record'),
    warmUpMs: args.integer('warm-up', 0),
    verify: !args.has('no-verify'),
  };
  const outgoing = {
    postcopyRam: !args.has('no-postcopy-ram'),
    negotiate: !args.has('no-negotiate'),
    postcopyAfter: parseWhen(args.text('postcopy-after') ?? (args.has('replay') ? 'now' : '1')),
    downtimeLimitNs: args.integer('downtime-limit', 0) * 1e6,
    preempt: parsePreempt(args),
    breaksHugePages: args.choice('break-huge', ['on', 'off']) === 'on',
    flight: parseFlight(args),
    logsRequests: args.has('requests'),
  };
  // Last, since reading a recording takes its time.
  const { guest, pages, machine } = await (args.has('replay')
    ? replayedGuest(args, output)
    : builtGuest(args));
  return {
    ...options,
    guest,
    recordedDevices: machine?.devices,
    outgoing: {
      ...outgoing,
      guest: pages,
      push: parsePush(args, guest),
      machine: args.text('machine') ?? machine?.machine ?? 'none',
      configuration: machine?.configuration ?? [],
      vmDescription: machine?.vmDescription,
    },
  };
}

/** Runs `postcopy source` and returns its exit code. @throws OptionError */
export async function sourceCommand(args: Arguments): Promise<number> {
  const output = new Output('source', args);
  const plan = feedPlanOf(args, 'source');
  const interrupted = new AbortController();
  let source: Source | undefined;
  let exitCode: number | undefined;
  const stopListening = output.onInterrupt((count) => {
    interrupted.abort();
    if (source !== undefined) source.cancel(count > 1);
    // While a recording is read nothing has begun that would have to be ended.
    else if (exitCode === undefined) process.exit(EXIT.CANCELLED);
  });
  const feed = plan && new SourceFeed(plan);
  const server = feed && (await serveFeed(plan!, feed, output));
  const watch = server && (await watchOf(args, 'source', server.url, output));
  try {
    for (;;) {
      const options = withFeed(await parseSourceOptions(args, output), plan, exitCode === undefined, feed);
      source = new Source(options, joinEvents(output.events(), feed?.events() ?? {}));
      feed?.watch(source, options);
      const result = await source.run();
      source = undefined;
      feed?.finish(result);
      exitCode = output.finish(result);
      if (plan?.rights.repeat !== true || interrupted.signal.aborted) break;
      await feed!.awaitStart(interrupted.signal);
      if (interrupted.signal.aborted) break;
    }
    await server?.close();
    await watch?.stay(interrupted.signal);
    return exitCode;
  } finally {
    stopListening();
    await server?.close();
    await watch?.close();
  }
}

/** Only the first migration is held: who starts another has said so already. */
function withFeed(
  options: SourceOptions,
  plan: FeedPlan | undefined,
  isFirst: boolean,
  feed: SourceFeed | undefined,
): SourceOptions {
  if (plan === undefined || feed === undefined) return options;
  const isHeld = isFirst && plan.rights.hold;
  const hold = isHeld ? (signal: AbortSignal) => feed.awaitStart(signal) : undefined;
  return { ...options, isWatched: true, hold };
}
