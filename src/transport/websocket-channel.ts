// Channels over WebSocket: binary frames carry the same bytes, and frame borders mean nothing.
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { TransportError } from '../errors.ts';
import { AcceptQueue } from './accept-queue.ts';
import type { Channel, ChannelReader, Listener } from './channel.ts';
import { type ChannelUri, formatUri } from './uri.ts';

type WebSocketUri = Extract<ChannelUri, { scheme: 'ws' }>;

/** A larger frame is refused by the library before it is held in memory. */
const FRAME_LIMIT_BYTES = 16 * 1024 * 1024;

function broken(peer: string, error: Error): TransportError {
  const isRefused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  return new TransportError(
    isRefused ? 'connection-refused' : 'connection-broken',
    `connection with ${peer}: ${error.message}`,
    { cause: error },
  );
}

class WebSocketChannel implements Channel {
  readonly peer: string;
  readonly fileDescriptor = -1;
  readonly #socket: WebSocket;
  #reader: ChannelReader | undefined;
  #failure: TransportError | undefined;
  /** Frames handed over to the reader that it has not done with yet. */
  #untakenCount = 0;

  constructor(socket: WebSocket, peer: string) {
    this.peer = peer;
    this.#socket = socket;
    socket.pause();
    socket.on('message', (data: RawData, isBinary) => {
      if (!isBinary) {
        this.#fail(
          new TransportError('text-frame', `connection with ${peer}: expected binary frames, found text`),
        );
        return;
      }
      const pieces = Array.isArray(data) ? data : [data];
      for (const piece of pieces) this.#data(new Uint8Array(piece as Buffer));
    });
    socket.on('error', (error) => this.#fail(broken(peer, error)));
    socket.on('close', () => this.#reader?.end());
  }

  #data(piece: Uint8Array): void {
    const taken = this.#reader?.data(piece, 0, piece.length);
    if (taken === undefined) return;
    // Frames that had come before the pause are still handed over, in order.
    this.#untakenCount += 1;
    this.#socket.pause();
    taken.then(
      () => {
        this.#untakenCount -= 1;
        if (this.#untakenCount === 0) this.#socket.resume();
      },
      (error: Error) => this.#fail(broken(this.peer, error)),
    );
  }

  #fail(error: TransportError): void {
    this.#failure = error;
    this.#reader?.error(error);
    this.#socket.terminate();
  }

  read(reader: ChannelReader): void {
    this.#reader = reader;
    if (this.#failure !== undefined) reader.error(this.#failure);
    else this.#socket.resume();
  }

  /** In frames that the peer takes; the last one's callback comes after those before it. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at === 0 || at < bytes.length; at += FRAME_LIMIT_BYTES) {
      await this.#send(bytes.subarray(at, at + FRAME_LIMIT_BYTES));
    }
  }

  writeAll(pieces: readonly Uint8Array[]): Promise<void> {
    return this.write(Buffer.concat(pieces));
  }

  #send(frame: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(frame, { binary: true }, (error) => {
        if (error == null) resolve();
        else reject(this.#failure ?? broken(this.peer, error));
      });
    });
  }

  end(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.readyState === WebSocket.CLOSED) resolve();
      else this.#socket.once('close', () => resolve()).close();
    });
  }

  destroy(): void {
    this.#socket.terminate();
  }
}

/** Connects to a listening peer, and drops the attempt when told to. @throws TransportError */
export function connectWebSocket(uri: WebSocketUri, signal: AbortSignal): Promise<Channel> {
  const peer = formatUri(uri);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(peer, { maxPayload: FRAME_LIMIT_BYTES, perMessageDeflate: false });
    const fail = (error: Error): void => reject(broken(peer, error));
    socket.once('error', fail);
    signal.addEventListener('abort', () => socket.terminate(), { once: true });
    socket.once('open', () => {
      socket.off('error', fail);
      resolve(new WebSocketChannel(socket, peer));
    });
  });
}

/** Listens. @throws TransportError `cannot-listen` */
export function listenWebSocket(uri: WebSocketUri): Promise<Listener> {
  const queue = new AcceptQueue();
  return new Promise((resolve, reject) => {
    const server = new WebSocketServer({
      host: uri.host || '0.0.0.0',
      port: uri.port,
      path: uri.path,
      maxPayload: FRAME_LIMIT_BYTES,
      perMessageDeflate: false,
    });
    server.on('connection', (socket, request) => {
      const { remoteAddress, remotePort } = request.socket;
      queue.push(new WebSocketChannel(socket, `ws://${remoteAddress}:${remotePort}`));
    });
    server.once('error', (error) => {
      reject(
        new TransportError('cannot-listen', `cannot listen on ${formatUri(uri)}: ${error.message}`, {
          cause: error,
        }),
      );
    });
    server.once('listening', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : undefined;
      resolve({
        uri: formatUri(uri, port),
        accept: () => queue.next(),
        close: () => {
          server.close();
          queue.close();
        },
      });
    });
  });
}
