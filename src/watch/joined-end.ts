// Joins the feed of one end, passes its frames on, and joins again when the connection is lost.
import { WebSocket } from 'ws';
import { FEED_SUBPROTOCOL } from '../feed/feed-messages.ts';
import type { EndName } from './model/frame.ts';
import { MAX_FRAME_BYTES } from './model/read-frame.ts';

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 2000;
/** An end that says nothing for so long, ten ticks a second as it makes, is gone without a word. */
const SILENCE_MS = 15_000;

/** Who is told of a joined end. */
export interface JoinedEndEvents {
  readonly onFrame: (bytes: Buffer) => void;
  /** The connection came, or went. */
  readonly onChange: () => void;
}

/** The feed of one end. */
export class JoinedEnd {
  readonly end: EndName;
  readonly url: string;
  isConnected = false;
  /** Why it is not connected, in words. */
  reason = 'not joined yet';
  readonly #events: JoinedEndEvents;
  #socket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = FIRST_WAIT_MS;
  #isClosed = false;

  constructor(end: EndName, url: string, events: JoinedEndEvents) {
    this.end = end;
    this.url = url;
    this.#events = events;
    this.#join();
  }

  #join(): void {
    const socket = new WebSocket(this.url, FEED_SUBPROTOCOL, {
      maxPayload: MAX_FRAME_BYTES,
      perMessageDeflate: false,
      handshakeTimeout: SILENCE_MS,
    });
    this.#socket = socket;
    const silence = setTimeout(() => socket.terminate(), SILENCE_MS).unref();
    socket.on('open', () => {
      this.isConnected = true;
      this.reason = '';
      this.#waitMs = FIRST_WAIT_MS;
      this.#events.onChange();
    });
    socket.on('message', (bytes, isBinary) => {
      silence.refresh();
      if (isBinary && this.#socket === socket) this.#events.onFrame(bytes as Buffer);
    });
    socket.on('ping', () => silence.refresh());
    socket.on('error', (error) => {
      this.reason = error.message;
      socket.terminate();
    });
    socket.on('close', (_, words) => {
      clearTimeout(silence);
      if (this.#socket !== socket) return;
      this.isConnected = false;
      if (words.length > 0) this.reason = words.toString();
      else if (this.reason === '') this.reason = 'the connection was closed';
      this.#events.onChange();
      this.#again(this.#waitMs);
      this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
    });
  }

  #again(waitMs: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.#join(), waitMs);
  }

  /** Leaves and joins once more, for a fresh snapshot. */
  rejoin(): void {
    const left = this.#socket;
    this.#socket = undefined;
    left?.terminate();
    clearTimeout(this.#timer);
    this.#again(0);
  }

  /** Passes on what a viewer asks for; false if there is no connection. */
  send(bytes: Uint8Array): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(bytes);
    return true;
  }

  /** Leaves for good. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.terminate();
  }
}
