// The options of an emulated link: a rate, a round trip and a queue, in the units of tc.
import { parseByteSize } from '../machine/byte-size.ts';
import { defaultQueueBytes, type LinkSpec } from '../transport/link-spec.ts';
import { type Arguments, badValue, type OptionTable } from './option-table.ts';

/** Options of a source whose link is emulated. */
export const LINK_OPTIONS = {
  link: {
    value: 'RATE[/RATE]',
    doc: 'emulate a link of this rate: 10gbit, 2.5gbit, 100mbit; with two, to the destination and back (docs/link.md)',
  },
  rtt: {
    value: 'TIME',
    doc: 'round trip of the emulated link, half of it each way: 100us, 5ms (default 0us)',
  },
  'link-queue': {
    value: 'SIZE[/SIZE]',
    doc: 'bytes that the emulated link queues, each way (default 1 ms of the rate, at least 16K)',
  },
} as const satisfies OptionTable;

/** Options of a destination that is told of the link, for the floors beside its stalls. */
export const FLOOR_OPTIONS = {
  'floor-link': {
    value: 'RATE[/RATE]',
    doc: 'rate of the link to here, emulated or real: floors beside stalls follow from it, not from the rate achieved; shapes nothing. As of --link, whose second rate is that back',
  },
  'floor-rtt': {
    value: 'TIME',
    doc: 'with --floor-link: its round trip, which a request pays too',
    default: '0us',
  },
} as const satisfies OptionTable;

const BITS = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 } as const;
const NS = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 } as const;
/** On a slower link one batch of the source takes so long that the peer seems to be silent. */
const LEAST_BITS_PER_SECOND = 1e6;
/** Beyond these no figure of a run would mean anything. */
const MOST_BITS_PER_SECOND = 1e12;
const MOST_RTT_NS = 10e9;
const LEAST_QUEUE_BYTES = 1500;

/** Reads a rate as bytes/s. @throws OptionError `bad-option-value` */
export function parseLinkRate(name: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)bit$/i.exec(text);
  const bits = match === null ? 0 : Number(match[1]) * BITS[match[2]!.toLowerCase() as keyof typeof BITS];
  if (bits >= LEAST_BITS_PER_SECOND && bits <= MOST_BITS_PER_SECOND) return bits / 8;
  throw badValue(name, 'a rate such as 10gbit, 2.5gbit or 100mbit, from 1mbit to 1tbit', text);
}

/** Reads a time as ns. @throws OptionError `bad-option-value` */
export function parseLinkTime(name: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ns|us|ms|s)$/i.exec(text);
  const ns = match === null ? Number.NaN : Number(match[1]) * NS[match[2]!.toLowerCase() as keyof typeof NS];
  if (ns <= MOST_RTT_NS) return Math.round(ns);
  throw badValue(name, 'a time such as 100us, 5ms or 1s, 10s at most', text);
}

function parseQueue(text: string): number {
  let bytes = 0;
  try {
    bytes = parseByteSize(text);
  } catch {
    // told below
  }
  if (bytes >= LEAST_QUEUE_BYTES) return bytes;
  throw badValue('link-queue', `a size such as 64K or 1M, of at least ${LEAST_QUEUE_BYTES}`, text);
}

/** One text for both directions, or two. */
function bothWays(name: string, text: string): readonly [string, string] {
  const [there = '', back = there, ...rest] = text.split('/');
  if (rest.length > 0) throw badValue(name, 'one value, or two as THERE/BACK', text);
  return [there, back];
}

/** A link from the texts of its options. @throws OptionError `bad-option-value` */
export function parseLink(texts: { rate: string; rtt: string; queue?: string | undefined }): LinkSpec {
  const [there, back] = bothWays('link', texts.rate).map((text) => parseLinkRate('link', text));
  const queues = texts.queue === undefined ? [] : bothWays('link-queue', texts.queue).map(parseQueue);
  const delayNs = parseLinkTime('rtt', texts.rtt) / 2;
  const direction = (bytesPerSecond: number, queueBytes = defaultQueueBytes(bytesPerSecond)) => {
    return { bytesPerSecond, delayNs, queueBytes };
  };
  return { forward: direction(there!, queues[0]), returnPath: direction(back!, queues[1]) };
}

/** The link that was asked for; undefined without `--link`. @throws OptionError */
export function linkOf(args: Arguments): LinkSpec | undefined {
  const rate = args.text('link');
  if (rate === undefined) {
    args.refuse(['rtt', 'link-queue'], 'without --link');
    return undefined;
  }
  return parseLink({ rate, rtt: args.text('rtt') ?? '0us', queue: args.text('link-queue') });
}

/** The link that a destination was told of; undefined without `--floor-link`. @throws OptionError */
export function floorOf(args: Arguments): { bytesPerSecond: number; rttNs: number } | undefined {
  const rate = args.text('floor-link');
  if (rate === undefined) {
    args.refuse(['floor-rtt'], 'without --floor-link');
    return undefined;
  }
  return {
    bytesPerSecond: bothWays('floor-link', rate).map((text) => parseLinkRate('floor-link', text))[0]!,
    rttNs: parseLinkTime('floor-rtt', args.text('floor-rtt')!),
  };
}
