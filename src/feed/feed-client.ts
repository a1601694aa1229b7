// Joins the feed of an end, wherever it runs, and hands its frames on.
import { WebSocket } from 'ws';
import { MigrationError } from '../errors.ts';
import { decodeFrame, FRAME_LIMIT_BYTES } from './feed-codec.ts';
import { FEED_SUBPROTOCOL, type FeedFrame } from './feed-messages.ts';

/** Joins a feed; returns what leaves it. One that breaks, or sends what is no frame, is left, and `onEnd` told why. */
export function joinFeed(
  url: string,
  onFrame: (frame: FeedFrame) => void,
  onEnd: (reason: string) => void = () => undefined,
): () => void {
  const socket = new WebSocket(url, FEED_SUBPROTOCOL, {
    maxPayload: FRAME_LIMIT_BYTES,
    perMessageDeflate: false,
  });
  let failure: string | undefined;
  const fail = (error: Error): void => {
    failure ??= error.message;
    socket.terminate();
  };
  socket.on('message', (bytes: Buffer) => {
    try {
      onFrame(decodeFrame(bytes));
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error;
      fail(error);
    }
  });
  socket.on('error', fail);
  socket.on('close', (_code, reason) => onEnd(failure ?? String(reason)));
  return () => socket.terminate();
}
