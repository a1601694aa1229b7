// Opens channels by their URI.
import { TransportError } from '../errors.ts';
import type { Channel, Listener } from './channel.ts';
import { connectSocket, listenSocket } from './socket-channel.ts';
import { type ChannelUri, formatUri } from './uri.ts';
import { connectWebSocket, listenWebSocket } from './websocket-channel.ts';

/** Connects to a destination. @throws TransportError, with `connect-timeout` after `timeoutMs` */
export async function connectChannel(uri: ChannelUri, timeoutMs: number): Promise<Channel> {
  // An attempt that nobody awaits any more would keep its thread alive.
  const abort = new AbortController();
  const connecting =
    uri.scheme === 'ws' ? connectWebSocket(uri, abort.signal) : connectSocket(uri, abort.signal);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(
        new TransportError('connect-timeout', `no connection with ${formatUri(uri)} within ${timeoutMs} ms`),
      );
      abort.abort();
    }, timeoutMs);
  });
  try {
    return await Promise.race([connecting, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Listens for a source. @throws TransportError `cannot-listen` */
export function listenForChannels(uri: ChannelUri): Promise<Listener> {
  return uri.scheme === 'ws' ? listenWebSocket(uri) : listenSocket(uri);
}
