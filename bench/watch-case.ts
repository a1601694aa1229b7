// What a viewer costs a migration: the same with and without one at either end, in turns.
import { WebSocket } from 'ws';
import type { MigrationResult } from '../src/telemetry/result.ts';
import { MeasuredProcess } from './measured-process.ts';
import { formatSpread, type Spread, spreadOf } from './spread.ts';
import { formatTable } from './table.ts';

const PROGRAM = new URL('../src/cli/postcopy.js', import.meta.url);
const RAM = 'ram0=1G@4K';
/** So much a viewer may take of each. */
const THROUGHPUT_LIMIT = 0.03;
const STALL_LIMIT = 0.05;

/**
 * The push of an idle guest shows throughput, vCPUs that touch memory at random show stalls: with a preempt channel, for
 * on one channel p50 differs by half between runs of the same.
 */
const GUESTS = {
  idle: { source: ['--guest', 'idle', '--rate', '100', '--smp', '1'], both: [] },
  random: { source: ['--guest', 'random', '--rate', '2000', '--smp', '2'], both: ['--postcopy-preempt'] },
} as const;
type Guest = keyof typeof GUESTS;

interface Run {
  readonly megabytesPerSecond: number;
  readonly p50Us: number | null;
  /** Of both ends together, all their life. */
  readonly cpuSeconds: number;
  readonly frameBytes: number;
}

/** A figure both ways. */
interface BothWays {
  readonly alone: Spread;
  readonly watched: Spread;
  /** Watched / alone, within a round. */
  readonly ratio: Spread;
}

/** The figures of both ways. */
export interface WatchFigures {
  readonly throughput: BothWays;
  readonly stall: BothWays;
  readonly cpu: BothWays;
  readonly frameBytes: Spread;
}

/** Reads a feed as fast as it comes, and keeps none of it: what it does with frames is a cost of its own. */
function readFeed(url: string): { readonly socket: WebSocket; bytes: number } {
  const reader = { socket: new WebSocket(url, 'postcopy-feed-1', { perMessageDeflate: false }), bytes: 0 };
  reader.socket.on('message', (data: Buffer) => {
    reader.bytes += data.length;
  });
  reader.socket.on('error', (error) => {
    throw error;
  });
  return reader;
}

async function runOnce(guest: Guest, isWatched: boolean): Promise<Run> {
  const { source: guestArgs, both } = GUESTS[guest];
  const common = ['--json', '--no-verify', '--block', RAM, '--log-level', 'info', ...both];
  const feed = isWatched ? ['--feed', '0'] : [];
  const destination = new MeasuredProcess('destination', PROGRAM, [
    ...['destination', '--incoming', 'tcp:127.0.0.1:0', '--mem-prealloc', ...feed, ...common],
  ]);
  const readers: ReturnType<typeof readFeed>[] = [];
  const join = async (end: MeasuredProcess): Promise<void> => {
    if (!isWatched) return;
    const [, url] = await end.awaitLine(/"url":"(ws:[^"]+)"/);
    readers.push(readFeed(url!));
  };
  await join(destination);
  const [, uri] = await destination.awaitLine(/"uri":"(tcp:[^"]+)"/);
  const source = new MeasuredProcess('source', PROGRAM, [
    ...['source', '--migrate', uri!, '--postcopy-after', 'now', '--zero-percent', '0', ...guestArgs],
    ...[...feed, ...common],
  ]);
  await join(source);
  const [sent, received] = await Promise.all([source.finish(), destination.finish()]);
  for (const { socket } of readers) socket.terminate();
  const from = JSON.parse(sent.stdout) as MigrationResult;
  const to = JSON.parse(received.stdout) as MigrationResult;
  const activeNs = from.times.phases['postcopy-active'];
  if (from.status !== 'completed' || to.status !== 'completed' || activeNs === undefined) {
    throw new Error(`expected both ends to complete in postcopy, found ${from.status} and ${to.status}`);
  }
  const p50Ns = to.stalls?.p50Ns ?? null;
  return {
    megabytesPerSecond: (from.bytes.wire! / activeNs) * 1e3,
    p50Us: p50Ns === null ? null : p50Ns / 1e3,
    cpuSeconds: sent.usage!.cpuSeconds + received.usage!.cpuSeconds,
    frameBytes: readers.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Runs each guest with and without viewers, in turns; the first round warms up and is dropped. */
export async function watchCase(options: {
  rounds: number;
  onRound: (line: string) => void;
}): Promise<WatchFigures> {
  const rates: [number, number][] = [];
  const stalls: [number, number][] = [];
  const cpus: [number, number][] = [];
  const frameBytes: number[] = [];
  for (let round = 0; round <= options.rounds; round += 1) {
    // Who goes first takes turns too.
    const order = round % 2 === 0 ? [false, true] : [true, false];
    const runs = new Map<string, Run>();
    for (const guest of ['idle', 'random'] as const) {
      for (const isWatched of order) runs.set(`${guest} ${isWatched}`, await runOnce(guest, isWatched));
    }
    if (round === 0) continue;
    const rate = (isWatched: boolean): number => runs.get(`idle ${isWatched}`)!.megabytesPerSecond;
    const stall = (isWatched: boolean): number => runs.get(`random ${isWatched}`)!.p50Us!;
    rates.push([rate(false), rate(true)]);
    stalls.push([stall(false), stall(true)]);
    cpus.push([runs.get('idle false')!.cpuSeconds, runs.get('idle true')!.cpuSeconds]);
    frameBytes.push(runs.get('random true')!.frameBytes);
    options.onRound(
      `watch round ${round}: ${rate(false).toFixed(0)} and ${rate(true).toFixed(0)} MB/s, p50 ${stall(false).toFixed(0)} and ${stall(true).toFixed(0)} us`,
    );
  }
  const spreads = (pairs: readonly (readonly [number, number])[]): BothWays => ({
    alone: spreadOf(pairs.map(([alone]) => alone)),
    watched: spreadOf(pairs.map(([, watched]) => watched)),
    ratio: spreadOf(pairs.map(([alone, watched]) => watched / alone)),
  });
  return {
    throughput: spreads(rates),
    stall: spreads(stalls),
    cpu: spreads(cpus),
    frameBytes: spreadOf(frameBytes),
  };
}

/** The figures as a table, and whether the goals hold. */
export function describeWatch({ throughput, stall, cpu, frameBytes }: WatchFigures): string {
  const isFast = throughput.ratio.median >= 1 - THROUGHPUT_LIMIT;
  const isShort = stall.ratio.median <= 1 + STALL_LIMIT;
  const row = (what: string, { alone, watched, ratio }: BothWays, digits = 0): string[] => {
    return [what, formatSpread(alone, digits), formatSpread(watched, digits), formatSpread(ratio, 3)];
  };
  const inKib = spreadOf([frameBytes.min, frameBytes.median, frameBytes.max].map((bytes) => bytes / 1024));
  return [
    formatTable(
      ['', 'nobody watches', 'a viewer at either end', 'watched / alone'],
      [
        row('push of an idle guest, MB/s', throughput),
        row('processor time of its two ends, s', cpu, 2),
        row('p50 stall of a random guest, us', stall),
      ],
    ),
    '',
    `a viewer of both ends read ${formatSpread(inKib)} KiB of frames`,
    `throughput at most ${THROUGHPUT_LIMIT * 100} % less: ${isFast ? 'yes' : 'NO'}; p50 stall at most ${STALL_LIMIT * 100} % more: ${isShort ? 'yes' : 'NO'} (medians of ratios within a round)`,
  ].join('\n');
}
