// Opens channels by their URI.
import { TransportError } from '../errors.ts';
import type { Channel, Listener } from './channel.ts';
import { connectSocket, listenSocket } from './socket-channel.ts';
import { type ChannelUri, formatUri } from './uri.ts';
import { connectWebSocket, listenWebSocket } from './websocket-channel.ts';

/** Connects to a destination. @throws TransportError, with `connect-timeout` after `timeoutMs`; what `signal` was aborted with */
export async function connectChannel(
  uri: ChannelUri,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Channel> {
  signal?.throwIfAborted();
  // An attempt that nobody awaits any more would keep its thread alive.
  const abort = new AbortController();
  const connecting =
    uri.scheme === 'ws' ? connectWebSocket(uri, abort.signal) : connectSocket(uri, abort.signal);
  let giveUp!: (reason: unknown) => void;
  const given = new Promise<never>((_resolve, reject) => {
    giveUp = (reason) => {
      reject(reason);
      abort.abort();
    };
  });
  const late = (): void =>
    giveUp(
      new TransportError('connect-timeout', `no connection with ${formatUri(uri)} within ${timeoutMs} ms`),
    );
  const unwanted = (): void => giveUp(signal?.reason);
  const timer = setTimeout(late, timeoutMs);
  signal?.addEventListener('abort', unwanted, { once: true });
  try {
    return await Promise.race([connecting, given]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', unwanted);
  }
}

/** Listens for a source. @throws TransportError `cannot-listen` */
export function listenForChannels(uri: ChannelUri): Promise<Listener> {
  return uri.scheme === 'ws' ? listenWebSocket(uri) : listenSocket(uri);
}
