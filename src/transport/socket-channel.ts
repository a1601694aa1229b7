// Channels over TCP and UNIX sockets.

import { unlinkSync, writevSync } from 'node:fs';
import { connect, createServer, type Server, Socket } from 'node:net';
import { TransportError } from '../errors.ts';
import { AcceptQueue } from './accept-queue.ts';
import type { Channel, ChannelReader, Listener } from './channel.ts';
import { type ChannelUri, formatUri } from './uri.ts';

/** Bytes read from the kernel in one go. */
const READ_BYTES = 256 * 1024;

type SocketUri = Extract<ChannelUri, { scheme: 'tcp' | 'unix' }>;

/** What Node hides behind a socket. The descriptor is the only way to write from another thread. */
interface SocketHandle {
  readonly fd: number;
  reading: boolean;
}

function handleOf(socket: Socket): SocketHandle | null {
  return (socket as unknown as { _handle: SocketHandle | null })._handle;
}

function broken(peer: string, error: NodeJS.ErrnoException): TransportError {
  const what = error.code === 'ECONNREFUSED' ? 'refused' : error.code === 'ECONNRESET' ? 'reset' : 'broken';
  // An error that stands for those of several addresses has no words of its own.
  const message = `connection with ${peer}: ${error.message || error.code}`;
  return new TransportError(`connection-${what}`, message, { cause: error });
}

/** A channel over a connected socket that nobody reads yet. */
class SocketChannel implements Channel {
  readonly peer: string;
  readonly #socket: Socket;
  #reader: ChannelReader | undefined;
  #failure: TransportError | undefined;

  constructor(socket: Socket, peer: string, buffer: ReadBuffer) {
    this.peer = peer;
    this.#socket = socket;
    buffer.onData = (count) => this.#data(buffer.bytes, count);
    socket.on('error', (error) => {
      this.#failure = broken(peer, error);
      this.#reader?.error(this.#failure);
    });
    socket.on('end', () => this.#reader?.end());
  }

  /** Hands bytes over and tells whether to read on at once. */
  #data(bytes: Uint8Array, count: number): boolean {
    const taken = this.#reader?.data(bytes, 0, count);
    if (taken === undefined) return true;
    taken.then(
      () => void this.#socket.resume(),
      (error: Error) => this.#socket.destroy(error),
    );
    return false;
  }

  get fileDescriptor(): number {
    return handleOf(this.#socket)?.fd ?? -1;
  }

  read(reader: ChannelReader): void {
    this.#reader = reader;
    if (this.#failure !== undefined) reader.error(this.#failure);
    else this.#socket.resume();
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error == null) resolve();
        else reject(this.#failure ?? broken(this.peer, error));
      });
    });
  }

  /** The kernel takes what it has room for without a turn of the event loop, which costs as much as the call. */
  writeAll(pieces: readonly Uint8Array[]): Promise<void> | undefined {
    const fd = this.fileDescriptor;
    // What is queued already has to leave first.
    const takenBytes = fd === -1 || this.#socket.writableLength > 0 ? 0 : writeNow(fd, pieces);
    // Node would drop the socket, and with it the last words of a peer that has left, which may not have been read.
    if (typeof takenBytes !== 'number') return Promise.reject(broken(this.peer, takenBytes));
    const left = piecesFrom(pieces, takenBytes);
    if (left.length === 0) return undefined;
    this.#socket.cork();
    for (const piece of left.slice(0, -1)) this.#socket.write(piece);
    const written = this.write(left.at(-1)!);
    this.#socket.uncork();
    return written;
  }

  end(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) resolve();
      else this.#socket.once('close', () => resolve()).end(() => resolve());
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** What the kernel says of a connection that the peer has closed. */
const GONE = ['EPIPE', 'ECONNRESET'];

/** Writes what the kernel has room for; returns how many bytes that were, or why there will be no more. */
function writeNow(fd: number, pieces: readonly Uint8Array[]): number | NodeJS.ErrnoException {
  try {
    return writevSync(fd, pieces);
  } catch (error) {
    // Else it has no room, or the connection broke in another way, which the socket will tell.
    return GONE.includes((error as NodeJS.ErrnoException).code ?? '') ? (error as NodeJS.ErrnoException) : 0;
  }
}

/** Pieces without their first bytes. */
function piecesFrom(pieces: readonly Uint8Array[], skippedBytes: number): Uint8Array[] {
  let skipped = skippedBytes;
  const left: Uint8Array[] = [];
  for (const piece of pieces) {
    if (skipped < piece.length) left.push(piece.subarray(skipped));
    skipped = Math.max(0, skipped - piece.length);
  }
  return left;
}

/** The fixed buffer that a socket reads into, and who takes it; false stops reading. */
interface ReadBuffer {
  readonly bytes: Uint8Array;
  onData: (count: number) => boolean;
}

/** Reads into one fixed buffer instead of a new one each time. */
function makeReadBuffer() {
  const buffer: ReadBuffer = { bytes: new Uint8Array(READ_BYTES), onData: () => true };
  const onread = {
    buffer: buffer.bytes,
    callback: (count: number): boolean => buffer.onData(count),
  };
  return { buffer, onread };
}

/** Connects to a listening peer, and drops the attempt when told to. @throws TransportError */
export function connectSocket(uri: SocketUri, signal: AbortSignal): Promise<Channel> {
  const peer = formatUri(uri);
  const { buffer, onread } = makeReadBuffer();
  const target =
    uri.scheme === 'tcp' ? { host: uri.host || 'localhost', port: uri.port } : { path: uri.path };
  return new Promise((resolve, reject) => {
    const socket = connect({ ...target, onread, noDelay: true, allowHalfOpen: true });
    const fail = (error: Error): void => reject(broken(peer, error));
    socket.once('error', fail);
    signal.addEventListener('abort', () => socket.destroy(), { once: true });
    socket.once('connect', () => {
      socket.off('error', fail);
      socket.pause();
      resolve(new SocketChannel(socket, peer, buffer));
    });
  });
}

/**
 * Rebuilds an accepted socket so that it reads into one fixed buffer: Node offers `onread` only to the connecting side,
 * and it is worth half of the throughput.
 */
function withReadBuffer(accepted: Socket, peer: string): Channel {
  const handle = handleOf(accepted);
  (accepted as unknown as { _handle: null })._handle = null;
  if (handle !== null) handle.reading = false;
  const { buffer, onread } = makeReadBuffer();
  const options = { handle, onread, allowHalfOpen: true, manualStart: true, pauseOnCreate: true };
  return new SocketChannel(new Socket(options as object), peer, buffer);
}

/** Listens. @throws TransportError `cannot-listen` */
export function listenSocket(uri: SocketUri): Promise<Listener> {
  const queue = new AcceptQueue();
  const server: Server = createServer(
    { pauseOnConnect: true, allowHalfOpen: true, noDelay: true },
    (socket) => {
      const from = uri.scheme === 'tcp' ? `tcp:${socket.remoteAddress}:${socket.remotePort}` : formatUri(uri);
      queue.push(withReadBuffer(socket, from));
    },
  );
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      reject(
        new TransportError('cannot-listen', `cannot listen on ${formatUri(uri)}: ${error.message}`, {
          cause: error,
        }),
      );
    };
    server.once('error', fail);
    server.listen(
      uri.scheme === 'tcp' ? { host: uri.host || '0.0.0.0', port: uri.port } : { path: uri.path },
      () => {
        server.off('error', fail);
        const address = server.address();
        const port = typeof address === 'object' && address !== null ? address.port : undefined;
        resolve({
          uri: formatUri(uri, port),
          accept: () => queue.next(),
          close: () => {
            server.close();
            queue.close();
            if (uri.scheme === 'unix') removeSocketFile(uri.path);
          },
        });
      },
    );
  });
}

function removeSocketFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Closing the server has removed it already.
  }
}
