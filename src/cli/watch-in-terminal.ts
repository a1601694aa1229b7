// Starts the watch in a terminal: on the feed in this process, or on those of the two ends of a demo.
import { joinFeed } from '../feed/feed-client.ts';
import type { FeedHub } from '../feed/feed-hub.ts';
import type { Arguments } from './option-table.ts';
import type { Output } from './output.ts';
import { TtyWatch } from './tty-watch.ts';

/** Whether that was asked for, and not a page. */
export function watchesInTerminal(args: Arguments): boolean {
  return args.text('watch') === 'tty';
}

/** A watch on stderr, out of the way of other lines there. */
export function watchInTerminal(output: Output): TtyWatch {
  const watch = new TtyWatch({ stream: process.stderr, isTerminal: process.stderr.isTTY });
  output.beforeLine = () => watch.clear();
  return watch;
}

/** Watches a feed of this process. */
export function watchHub(hub: FeedHub, output: Output): void {
  hub.attach(watchInTerminal(output).viewer);
}

/** Watches the feeds of two ends; join each when it tells where its feed is. */
export function watchFeeds(output: Output): (url: string) => void {
  const watch = watchInTerminal(output);
  return (url) => {
    joinFeed(url, (frame) => watch.take(frame));
  };
}
