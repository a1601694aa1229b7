// The options of a page to watch a migration on: where it is served, and whose feeds it joins.
import type { WatchAddress } from '../watch/watch-server.ts';
import { parseFeedAddress } from './feed-options.ts';
import { type Arguments, badValue, type OptionTable } from './option-table.ts';
import { watchesInTerminal } from './watch-in-terminal.ts';

/** Address that is meant by `--watch` alone: this machine's, and a free port. */
const FREE_PORT = '127.0.0.1:0';

/** Option of an end and of the demo. */
export const WATCH_OPTION = {
  watch: {
    value: '[[HOST:]PORT]|tty',
    bare: FREE_PORT,
    doc: 'serve a page to watch it on, and stay until Ctrl-C when it is over (docs/watch.md); HOST is 127.0.0.1 unless given, without PORT it takes a free one. With tty show state, memory, vCPUs, stalls and rates in the terminal instead',
  },
} as const satisfies OptionTable;

/** Option of an end beside. */
export const WATCH_PEER_OPTION = {
  'watch-peer': {
    value: 'URL',
    doc: 'with --watch: show the other end too, from its feed, ws://HOST:PORT/feed',
  },
} as const satisfies OptionTable;

/** Where the page is to be served; undefined without `--watch`, and in a terminal. @throws OptionError */
export function watchAddressOf(args: Arguments): WatchAddress | undefined {
  const text = args.text('watch');
  return text === undefined || watchesInTerminal(args) ? undefined : parseFeedAddress('watch', text);
}

/** The URL of a feed from an option; undefined without it. @throws OptionError `bad-option-value` */
export function feedUrlOf(args: Arguments, name: string): string | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isFeed = url !== undefined && ['ws:', 'wss:'].includes(url.protocol) && url.hash === '';
  if (!isFeed) throw badValue(name, 'the URL of a feed, ws://HOST:PORT/feed', text);
  return url.href;
}
