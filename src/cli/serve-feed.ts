// Serves the feed of an end, says where, and joins those who listen to the end.
import type { FeedHub } from '../feed/feed-hub.ts';
import { type Control, FeedServer } from '../feed/feed-server.ts';
import type { FeedPlan } from './feed-options.ts';
import type { Output } from './output.ts';

/** Serves it, and tells where on stderr and to a parent process. @throws TransportError `cannot-listen` */
export async function serveFeed(
  plan: FeedPlan,
  feed: { readonly hub: FeedHub; control: Control },
  output: Output,
): Promise<FeedServer> {
  const server = await FeedServer.listen({
    ...plan.address,
    hub: feed.hub,
    control: plan.rights.control ? (message) => feed.control(message) : undefined,
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
