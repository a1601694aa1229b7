// Serves the feed of an end, says where, and joins those who listen to the end.
import type { FeedHub } from '../feed/feed-hub.ts';
import { type Control, FeedServer } from '../feed/feed-server.ts';
import type { RunMetrics } from '../feed/run-metrics.ts';
import type { FeedPlan } from './feed-options.ts';
import type { Output } from './output.ts';
import { watchHub } from './watch-in-terminal.ts';

/** Serves it, and tells where on stderr and to a parent process; or shows it in the terminal. @throws TransportError `cannot-listen` */
export async function serveFeed(
  plan: FeedPlan,
  feed: { readonly hub: FeedHub; readonly metrics: RunMetrics; control: Control },
  output: Output,
): Promise<FeedServer | undefined> {
  if (plan.inTerminal) watchHub(feed.hub, output);
  if (plan.address === undefined) return undefined;
  const server = await FeedServer.listen({
    ...plan.address,
    hub: feed.hub,
    control: plan.rights.control ? (message) => feed.control(message) : undefined,
    onGet: (path, response) => {
      if (path !== '/metrics') return false;
      feed.metrics.print().then(
        ({ text, contentType }) => response.writeHead(200, { 'content-type': contentType }).end(text),
        () => response.writeHead(500).end(),
      );
      return true;
    },
  });
  output.feed(server.url);
  return server;
}

/** Callbacks that call those of all listeners, in their order. */
export function joinEvents<E extends object>(...listeners: readonly E[]): E {
  const joined: Record<string, (...values: unknown[]) => void> = {};
  for (const name of new Set(listeners.flatMap((events) => Object.keys(events)))) {
    joined[name] = (...values) => {
      for (const events of listeners) {
        const listener = (events as Record<string, ((...values: unknown[]) => void) | undefined>)[name];
        listener?.(...values);
      }
    };
  }
  return joined as E;
}
