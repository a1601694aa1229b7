// The connection to the watch that serves the page: says when it is lost, and mends it.

const SUBPROTOCOL = 'postcopy-feed-1';
const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 3000;

/** Who is told. */
export interface FeedSocketEvents {
  /** A new connection: all of the run comes again. */
  readonly onOpen: () => void;
  readonly onLost: () => void;
  /** Returns false where too much came. */
  readonly onFrame: (bytes: Uint8Array) => boolean;
}

/** The connection. */
export class FeedSocket {
  readonly #events: FeedSocketEvents;
  #socket: WebSocket | undefined;
  #waitMs = FIRST_WAIT_MS;
  #isClosed = false;

  constructor(events: FeedSocketEvents) {
    this.#events = events;
    this.#connect();
  }

  #connect(): void {
    const url = new URL('/feed', location.href);
    url.protocol = 'ws:';
    const socket = new WebSocket(url, SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => {
      this.#waitMs = FIRST_WAIT_MS;
      this.#events.onOpen();
    };
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data !== 'string' && !this.#events.onFrame(new Uint8Array(data))) socket.close();
    };
    socket.onclose = () => {
      if (this.#isClosed) return;
      this.#events.onLost();
      setTimeout(() => this.#connect(), this.#waitMs);
      this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
    };
  }

  /** Sends what the reader asks for; false if there is no connection. */
  send(bytes: Uint8Array): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(bytes as Uint8Array<ArrayBuffer>);
    return true;
  }

  /** Leaves the feed for good: a file is shown now. */
  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
  }
}
