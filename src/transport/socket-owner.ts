// Owns the sockets of another thread: only it closes them, and reads them with its event loop where it is told to.
import type { MessagePort } from 'node:worker_threads';
import { TransportError, toErrorRecord } from '../errors.ts';
import type { Channel, Listener } from './channel.ts';
import { connectChannel, listenForChannels } from './open.ts';
import type { NumberedRequest, OpenedChannel, SocketNews, SocketRequest } from './socket-requests.ts';

/** Sees what comes in on the channels that the owner reads, before the other thread is told. */
export interface SocketTaker {
  /** Bytes `input[start..end)` of a channel; returns whether the other thread is told of them too. */
  data(channel: number, input: Uint8Array, start: number, end: number): boolean;
  /** The peer has ended its direction; the same. */
  end(channel: number): boolean;
}

/** Performs what another thread asks for, over a port that other messages may use too. */
export class SocketOwner {
  readonly channels: Channel[] = [];
  readonly #port: MessagePort;
  readonly #taker: SocketTaker;
  #listener: Listener | undefined;

  constructor(port: MessagePort, taker: SocketTaker) {
    this.#port = port;
    this.#taker = taker;
  }

  /** Takes a request of the other thread. */
  take({ number, request }: NumberedRequest): void {
    this.#perform(request).then(
      (answer) => this.#tell({ kind: 'socket-answer', number, ...answer }),
      (error: unknown) => {
        const causeCode = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;
        this.#tell({ kind: 'socket-answer', number, error: toErrorRecord(error), causeCode });
      },
    );
  }

  async #perform(request: SocketRequest): Promise<{ opened?: OpenedChannel; uri?: string }> {
    switch (request.do) {
      case 'connect':
        return { opened: this.#lend(await connectChannel(request.uri, request.timeoutMs)) };
      case 'listen':
        this.#listener = await listenForChannels(request.uri);
        return { uri: this.#listener.uri };
      case 'accept':
        return { opened: this.#lend(await this.#listener!.accept()) };
      case 'unlisten':
        this.#listener?.close();
        return {};
      case 'read':
        this.#read(request.channel);
        return {};
      case 'write':
        await this.channels[request.channel]!.write(request.bytes);
        return {};
      case 'end':
        await this.channels[request.channel]!.end();
        return {};
      case 'destroy':
        this.channels[request.channel]!.destroy();
        return {};
    }
  }

  #lend(channel: Channel): OpenedChannel {
    const lent = channel.lend?.();
    if (lent === undefined) {
      channel.destroy();
      throw new TransportError('connection-broken', `connection with ${channel.peer}: it was closed at once`);
    }
    return { channel: this.channels.push(channel) - 1, peer: channel.peer, ...lent };
  }

  #read(channel: number): void {
    this.channels[channel]!.read({
      data: (input, start, end) => {
        if (!this.#taker.data(channel, input, start, end)) return;
        this.#tell({ kind: 'socket-data', channel, bytes: input.slice(start, end) });
      },
      end: () => {
        if (this.#taker.end(channel)) this.#tell({ kind: 'socket-end', channel });
      },
      error: (error) => this.#tell({ kind: 'socket-error', channel, error: toErrorRecord(error) }),
    });
  }

  #tell(news: SocketNews): void {
    this.#port.postMessage(news);
  }
}
