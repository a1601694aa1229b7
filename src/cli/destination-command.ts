// `postcopy destination`: reads its options and runs the destination, from a socket or from recordings.
import { writeFileSync } from 'node:fs';
import type { IncomingOrigin } from '../destination/incoming-messages.ts';
import {
  Destination,
  type DestinationEvents,
  type DestinationOptions,
} from '../destination/run-destination.ts';
import { TOUCH_ORDERS, type Touch } from '../destination/touch-order.ts';
import { OptionError } from '../errors.ts';
import { MAX_VCPUS } from '../machine/vcpu-state.ts';
import { PROFILES } from '../protocol/profile.ts';
import { forwardStreams } from '../recording/recording-reader.ts';
import { parseUri } from '../transport/uri.ts';
import { parseCollapses } from './collapse-options.ts';
import { END_OPTIONS, OUTPUT_OPTIONS, parseBlock, parseBlockPages, VGA_VRAM } from './common-options.ts';
import { DestinationFeed } from './destination-feed.ts';
import { FEED_OPTIONS, feedPlanOf } from './feed-options.ts';
import { FLOOR_OPTIONS, floorOf } from './link-options.ts';
import type { Arguments, CommandHelp } from './option-table.ts';
import { Output } from './output.ts';
import { joinEvents, serveFeed } from './serve-feed.ts';
import { watchOf } from './serve-watch.ts';
import { WATCH_OPTION, WATCH_PEER_OPTION } from './watch-options.ts';

/** Help and options of `postcopy destination`. */
export const DESTINATION_HELP = {
  usage: 'postcopy destination (--incoming URI | --replay RECORDING [PREEMPT]) [OPTIONS]',
  summary: 'Receives a guest: from a source that connects, or from recorded streams.',
  options: {
    incoming: {
      value: 'URI',
      doc: 'listen on tcp:HOST:PORT, unix:PATH or ws://HOST:PORT/PATH; port 0 takes a free one',
    },
    replay: {
      value: 'RECORDING',
      doc: 'load a recorded stream: a directory or NAME of `postcopy record` or --record, or the file of a main stream, plain or gzip; a second file is its preempt channel',
    },
    replies: { value: 'FILE', doc: 'with --replay: write what is answered on the return path to this file' },
    'host-page': {
      value: 'SIZE',
      doc: 'host page behind every block that is not named, 4K to 16G',
      default: '4K',
    },
    'block-page': { value: 'NAME=SIZE', multiple: true, doc: 'host page behind one block; vga.vram has 4K' },
    'placement-page': {
      value: 'SIZE',
      doc: 'place larger host pages in pieces of this size, each as soon as it is there, and collapse a page when its last has come (real Linux cannot do that with hugetlb pages)',
    },
    'collapse-cost': {
      value: 'US',
      doc: 'with --placement-page: how long a collapse holds up the channel, in microseconds',
      default: '0',
    },
    'collapse-at': {
      value: 'SIZE[=US]',
      multiple: true,
      doc: 'with --placement-page: also collapse pieces into pages of this size on the way to the host page, which takes US microseconds (those of --collapse-cost without); may be repeated',
    },
    'mem-prealloc': { doc: 'commit all RAM beforehand: with --block before listening, else at the RAM list' },
    smp: {
      value: 'N',
      doc: 'vCPU threads to start before a source connects; a guest with another number waits for its own',
      default: '2',
    },
    'refuse-unknown-devices': {
      doc: 'refuse device sections that cannot be loaded, instead of keeping them unread',
    },
    'postcopy-preempt': { doc: 'expect a second connection that brings requested pages' },
    touch: {
      value: 'ORDER',
      doc: 'in postcopy, touch every host page once as one more vCPU would: in ascending, descending or random order. For a guest whose vCPUs do not run here, such as one of QEMU',
    },
    'touch-seed': { value: 'N', doc: 'seed of --touch random', default: '1' },
    ...FLOOR_OPTIONS,
    faults: { doc: 'with --json: list every fault with the time of each hop' },
    ...END_OPTIONS,
    ...FEED_OPTIONS,
    ...WATCH_OPTION,
    ...WATCH_PEER_OPTION,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    {
      doc: 'receive onto 1 GiB host pages',
      command: 'postcopy destination --incoming tcp:0.0.0.0:4444 --host-page 1G',
    },
    {
      doc: 'onto 1 GiB host pages, but let each 4 KiB of them be used as soon as it is there',
      command: 'postcopy destination --incoming tcp:0.0.0.0:4444 --host-page 1G --placement-page 4K',
    },
    {
      doc: 'the same, collapsed at 2 MiB first, for a source with --push-piece 2M: 4 KiB on demand, 2 MiB in the background',
      command:
        'postcopy destination --incoming tcp:0.0.0.0:4444 --host-page 1G --placement-page 4K --collapse-at 2M',
    },
    {
      doc: 'replay a migration that real QEMU sent, 2 MiB host pages',
      command: 'postcopy destination --replay c1.fwd.bin.gz --host-page 2M --block-page pc.bios=4K',
    },
    {
      doc: 'ask real QEMU for its pages from the last to the first',
      command: 'postcopy destination --incoming tcp::4444 --touch descending',
    },
    {
      doc: 'record what comes and what is answered, and load it again',
      command: 'postcopy destination --incoming tcp::4444 --record rec && postcopy destination --replay rec',
    },
  ],
} as const satisfies CommandHelp;

function parseOrigin(args: Arguments): IncomingOrigin {
  const incoming = args.text('incoming');
  const replay = args.text('replay');
  if ((incoming === undefined) === (replay === undefined)) {
    throw new OptionError('missing-option', 'expected either --incoming URI or --replay RECORDING');
  }
  const surplus = args.positionals[replay === undefined ? 0 : 1];
  if (surplus !== undefined) throw new OptionError('bad-option', `unexpected argument '${surplus}'`);
  if (replay === undefined) return { kind: 'listen', uri: parseUri(incoming!) };
  const { main, preempt } = forwardStreams(replay);
  if (preempt !== undefined && args.positionals.length > 0) {
    throw new OptionError(
      'bad-option',
      `unexpected argument '${args.positionals[0]}': ${replay} has its own`,
    );
  }
  return { kind: 'replay', mainPath: main, preemptPath: args.positionals[0] ?? preempt };
}

function refuseWithoutEffect(args: Arguments, origin: IncomingOrigin): void {
  if (args.has('replay')) {
    args.refuse(['timeout'], 'on a replay, which never waits for a source');
    args.refuse(['record'], 'on a replay, which is a recording already');
    args.refuse(['touch'], 'on a replay, where nobody answers a request');
    args.refuse(['floor-link'], 'on a replay, where no vCPU waits for a page');
    args.refuse(['smp'], 'on a replay, which waits for its vCPUs');
    args.refuse(['repeat'], 'on a replay, which is over when it has been read');
  }
  if (!args.has('replay')) args.refuse(['replies'], 'without --replay');
  if (origin.kind === 'replay' && origin.preemptPath === undefined) {
    args.refuse(['postcopy-preempt'], 'on a replay without a second stream');
  }
  if (args.has('block')) args.refuse(['host-page', 'block-page'], 'where --block gives the layout');
  if (args.has('no-verify')) args.refuse(['ram-image'], 'with --no-verify');
  if (!args.has('placement-page')) args.refuse(['collapse-cost', 'collapse-at'], 'without --placement-page');
  if (!args.has('json')) args.refuse(['faults'], 'without --json');
  if (args.text('touch') !== 'random') args.refuse(['touch-seed'], 'without --touch random');
}

function parseTouch(args: Arguments): Touch | undefined {
  if (!args.has('touch')) return undefined;
  return { order: args.choice('touch', TOUCH_ORDERS), seed: args.integer('touch-seed', 0, 2 ** 32 - 1) };
}

function parseDestinationOptions(args: Arguments): DestinationOptions {
  const origin = parseOrigin(args);
  refuseWithoutEffect(args, origin);
  const layout = args.texts('block').map(parseBlock);
  const hostPageBytes = args.pageBytes('host-page');
  const hostPageByName = new Map([[VGA_VRAM.name, VGA_VRAM.hostPageBytes], ...parseBlockPages(args)]);
  const pages = layout.length > 0 ? [] : [hostPageBytes, ...hostPageByName.values()];
  return {
    origin,
    profile: args.choice('profile', PROFILES),
    machine: args.text('machine'),
    hostPageBytes,
    hostPageByName,
    placementBytes: args.has('placement-page') ? args.pageBytes('placement-page') : undefined,
    ...parseCollapses(args, [...layout.map((spec) => spec.hostPageBytes), ...pages]),
    layout: layout.length === 0 ? undefined : layout,
    acceptsUnknownDevices: !args.has('refuse-unknown-devices'),
    negotiate: !args.has('no-negotiate'),
    preempt: args.has('postcopy-preempt') || (origin.kind === 'replay' && origin.preemptPath !== undefined),
    preallocates: args.has('mem-prealloc'),
    vcpuCount: origin.kind === 'replay' ? 0 : args.integer('smp', 0, MAX_VCPUS),
    ramImagePath: args.text('ram-image'),
    touch: parseTouch(args),
    timeoutMs: args.integer('timeout', 1),
    recordPath: args.text('record'),
    floor: floorOf(args),
    keepsFaults: args.has('faults'),
    verify: !args.has('no-verify'),
  };
}

/** Runs `postcopy destination` and returns its exit code. @throws OptionError */
export async function destinationCommand(args: Arguments): Promise<number> {
  let options = parseDestinationOptions(args);
  const output = new Output('destination', args);
  const plan = feedPlanOf(args, 'destination');
  let destination: Destination | undefined;
  const interrupted = new AbortController();
  const stopListening = output.onInterrupt(() => {
    interrupted.abort();
    destination?.cancel();
  });
  const feed = plan && new DestinationFeed(plan);
  if (feed !== undefined) options = { ...options, isWatched: true };
  const server = feed && (await serveFeed(plan!, feed, output));
  const watch = server && (await watchOf(args, 'destination', server.url, output));
  // A port that was chosen once is kept: a source that comes again knows no other.
  const onListening = (uri: string): void => {
    options = { ...options, origin: { kind: 'listen', uri: parseUri(uri) } };
  };
  try {
    let exitCode: number;
    for (;;) {
      const events = joinEvents<DestinationEvents>({ onListening }, output.events(), feed?.events() ?? {});
      destination = new Destination(options, events);
      feed?.watch(destination, options.preempt ? 2 : 1);
      const { result, replies } = await destination.run();
      feed?.finish(result);
      const repliesPath = args.text('replies');
      if (repliesPath !== undefined && replies !== undefined) writeFileSync(repliesPath, replies);
      exitCode = output.finish(result);
      if (plan?.rights.repeat !== true || interrupted.signal.aborted) break;
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
