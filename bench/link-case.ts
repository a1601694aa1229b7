// The emulated link: what it carries of what is asked, and its round trip, each between two processes.
import type { RoundTrips } from '../src/telemetry/round-trips.ts';
import type { LinkFigures } from '../src/transport/link.ts';
import { MeasuredProcess } from './measured-process.ts';
import { formatSpread, type Spread, spreadOf } from './spread.ts';
import { formatTable } from './table.ts';

const LINK_END = new URL('./link-end.js', import.meta.url);
const RATES = ['10mbit', '100mbit', '1gbit', '5gbit', '10gbit', '20gbit', '40gbit'] as const;
/** Rates and round trips of the links that are pinged; the first is none, for what the machine itself needs. */
const PINGED = [
  ['none', '0us'],
  ['10gbit', '0us'],
  ['10gbit', '100us'],
  ['1gbit', '1ms'],
  ['100mbit', '20ms'],
] as const;
const SEND_MS = 2000;
const PING_COUNT = 200;
/** The goal: what is asked is carried within this share, up to what the machine carries without a link. */
const LINK_GOAL = 0.02;

interface RateRun {
  /** By the clock of the end that takes the bytes, from its first read to its last. */
  readonly takenBytesPerSecond: number;
  /** Of the sending process. */
  readonly cpuSeconds: number;
  /** Null without a link. */
  readonly figures: LinkFigures['forward'] | null;
}

/** One link under push. */
export interface LinkRate {
  readonly rate: string;
  /** Null without a link. */
  readonly askedBytesPerSecond: number | null;
  readonly takenBytesPerSecond: Spread;
  /** Taken of asked. */
  readonly share: Spread | null;
  readonly cpuShare: Spread;
  readonly lateP50Ns: Spread | null;
  readonly lateP99Ns: Spread | null;
}

/** One link under pings. */
export interface LinkPing {
  readonly rate: string;
  readonly rtt: string;
  readonly minNs: Spread;
  readonly p50Ns: Spread;
}

/** What the rounds gave. */
export interface LinkCaseResult {
  readonly rates: readonly LinkRate[];
  readonly pings: readonly LinkPing[];
}

async function runPair(peer: string, role: string, args: readonly string[]): Promise<[string, string]> {
  const taker = new MeasuredProcess(peer, LINK_END, [peer]);
  const [, port] = await taker.awaitLine(/^listening (\d+)$/);
  const [first = '', ...rest] = args;
  const sender = new MeasuredProcess(role, LINK_END, [role, port!, first, ...rest]);
  const [sent, taken] = await Promise.all([sender.finish(), taker.finish()]);
  return [sent.stdout, taken.stdout];
}

async function runRate(rate: string): Promise<RateRun> {
  const [sent, taken] = await runPair('take', 'send', [rate, String(SEND_MS)]);
  const { cpuSeconds, forward } = JSON.parse(sent) as {
    cpuSeconds: number;
    forward?: LinkFigures['forward'];
  };
  const { bytesPerSecond } = JSON.parse(taken) as { bytesPerSecond: number };
  return { takenBytesPerSecond: bytesPerSecond, cpuSeconds, figures: forward ?? null };
}

async function runPing(rate: string, rtt: string): Promise<RoundTrips> {
  const [sent] = await runPair('echo', 'ping', [rate, rtt, String(PING_COUNT)]);
  return JSON.parse(sent) as RoundTrips;
}

function sumRate(rate: string, runs: readonly RateRun[]): LinkRate {
  const askedBytesPerSecond = runs[0]!.figures?.bytesPerSecond ?? null;
  const late = (of: 'p50' | 'p99') =>
    askedBytesPerSecond === null ? null : spreadOf(runs.map(({ figures }) => figures?.lateNs?.[of] ?? 0));
  return {
    rate,
    askedBytesPerSecond,
    takenBytesPerSecond: spreadOf(runs.map((run) => run.takenBytesPerSecond)),
    share:
      askedBytesPerSecond === null
        ? null
        : spreadOf(runs.map((run) => run.takenBytesPerSecond / askedBytesPerSecond)),
    cpuShare: spreadOf(runs.map((run) => (run.cpuSeconds * 1e3) / SEND_MS)),
    lateP50Ns: late('p50'),
    lateP99Ns: late('p99'),
  };
}

/** Runs the rounds: all links once in each, so that they share their noise. */
export async function linkCase(options: {
  rounds: number;
  onRound: (line: string) => void;
}): Promise<LinkCaseResult> {
  const rates = new Map<string, RateRun[]>(['none', ...RATES].map((rate) => [rate, []]));
  const pings = PINGED.map(([rate, rtt]) => ({ rate, rtt, runs: [] as RoundTrips[] }));
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const [rate, runs] of rates) runs.push(await runRate(rate));
    for (const { rate, rtt, runs } of pings) runs.push(await runPing(rate, rtt));
    const told = [...rates].map(([rate, runs]) => {
      return `${rate} ${((runs.at(-1)!.takenBytesPerSecond * 8) / 1e9).toPrecision(3)}`;
    });
    options.onRound(`link round ${round}, Gbit/s: ${told.join(', ')}`);
  }
  return {
    rates: [...rates].map(([rate, runs]) => sumRate(rate, runs)),
    pings: pings.map(({ rate, rtt, runs }) => ({
      rate,
      rtt,
      minNs: spreadOf(runs.map(({ minNs }) => minNs!)),
      p50Ns: spreadOf(runs.map(({ p50Ns }) => p50Ns!)),
    })),
  };
}

function inUnit({ count, min, median, max }: Spread, unit: number): Spread {
  return { count, min: min / unit, median: median / unit, max: max / unit };
}

/** The result as tables. */
export function describeLink({ rates, pings }: LinkCaseResult): string {
  const mostBytesPerSecond = rates.find(({ rate }) => rate === 'none')!.takenBytesPerSecond.median;
  const reached = ({ share, askedBytesPerSecond }: LinkRate): string => {
    if (share === null) return '-';
    if (Math.abs(1 - share.median) <= LINK_GOAL) return 'yes';
    return askedBytesPerSecond! > mostBytesPerSecond ? 'more than this machine carries' : 'NO';
  };
  const rateRows = rates.map((one) => [
    one.rate,
    formatSpread(inUnit(one.takenBytesPerSecond, 1e9 / 8), 3),
    one.share === null ? '-' : formatSpread(inUnit(one.share, 0.01), 1),
    reached(one),
    formatSpread(inUnit(one.cpuShare, 0.01)),
    one.lateP50Ns === null ? '-' : formatSpread(inUnit(one.lateP50Ns, 1e3)),
    one.lateP99Ns === null ? '-' : formatSpread(inUnit(one.lateP99Ns, 1e3)),
  ]);
  const pingRows = pings.map(({ rate, rtt, minNs, p50Ns }) => [
    rate === 'none' ? 'none' : `${rate}, ${rtt}`,
    formatSpread(inUnit(minNs, 1e3)),
    formatSpread(inUnit(p50Ns, 1e3)),
  ]);
  return [
    `Emulated link, ${SEND_MS / 1e3} s of pages for each rate, ${rates[0]!.takenBytesPerSecond.count} rounds; each figure median (min..max)`,
    '',
    formatTable(
      [
        'asked',
        'arrived, Gbit/s',
        '% of asked',
        `within ${LINK_GOAL * 100} %`,
        'sender, % of a CPU',
        'late, p50 us',
        'late, p99 us',
      ],
      rateRows,
    ),
    '',
    formatTable(['link, RTT', 'least of a run, us', 'p50 of a run, us'], pingRows),
  ].join('\n');
}
