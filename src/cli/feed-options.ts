// The options of a feed: where it is served, and what its viewers may do.
import type { FeedAddress } from '../feed/feed-server.ts';
import { type Arguments, badValue, type OptionTable } from './option-table.ts';
import { watchesInTerminal } from './watch-in-terminal.ts';

/** Options of both ends. */
export const FEED_OPTIONS = {
  feed: {
    value: '[HOST:]PORT',
    doc: 'serve what happens here as a feed, ws://HOST:PORT/feed, and metrics for Prometheus at /metrics (docs/feed.md); HOST is 127.0.0.1 unless given, port 0 takes a free one',
  },
  control: { doc: 'with --feed: let its viewers start, switch, pause, change the link and cancel' },
  repeat: {
    doc: 'with --feed: go on after a migration; a source waits to be started again (--control), a destination listens again',
  },
} as const satisfies OptionTable;

/** Option of a source beside. */
export const HOLD_OPTION = {
  hold: { doc: 'with --control: let the guest run, and migrate when a viewer of the feed says so' },
} as const satisfies OptionTable;

const DEFAULT_HOST = '127.0.0.1';

/** Reads `[HOST:]PORT`; an IPv6 address stands in brackets. @throws OptionError `bad-option-value` */
export function parseFeedAddress(name: string, text: string): FeedAddress {
  const match = /^(?:(?<host>\[[0-9a-f:.]+\]|[^:\s]+):)?(?<port>\d{1,5})$/i.exec(text);
  const port = Number(match?.groups?.['port'] ?? Number.NaN);
  if (!(port <= 65_535)) throw badValue(name, '[HOST:]PORT', text);
  const host = match!.groups!['host']?.replace(/^\[|\]$/g, '') ?? DEFAULT_HOST;
  return { host, port };
}

/** Where a feed is served, and what its viewers may do. */
export interface FeedPlan {
  /** Undefined where it is only shown in the terminal. */
  readonly address: FeedAddress | undefined;
  readonly inTerminal: boolean;
  readonly rights: { readonly control: boolean; readonly hold: boolean; readonly repeat: boolean };
}

/** The feed that was asked for; undefined without `--feed` and `--watch tty`. @throws OptionError */
export function feedPlanOf(args: Arguments, end: 'source' | 'destination'): FeedPlan | undefined {
  const isSource = end === 'source';
  const inTerminal = watchesInTerminal(args);
  const hasPage = args.has('watch') && !inTerminal;
  if (hasPage) parseFeedAddress('watch', args.text('watch')!);
  else args.refuse(['watch-peer'], 'without a page to --watch');
  // A page is one more viewer of the feed, so it brings one with it.
  const text = args.text('feed') ?? (hasPage ? `${DEFAULT_HOST}:0` : undefined);
  if (text === undefined) {
    args.refuse(['control', 'repeat', ...(isSource ? ['hold'] : [])], 'without --feed or a page to --watch');
    const rights = { control: false, hold: false, repeat: false };
    return inTerminal ? { address: undefined, inTerminal, rights } : undefined;
  }
  const control = args.has('control');
  if (args.has('repeat')) args.refuse(['record'], 'with --repeat: a recording holds one migration');
  if (isSource && !control) args.refuse(['hold', 'repeat'], 'without --control, as nobody could start it');
  return {
    address: parseFeedAddress('feed', text),
    inTerminal,
    rights: { control, hold: isSource && args.has('hold'), repeat: args.has('repeat') },
  };
}
