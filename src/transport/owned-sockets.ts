// Channels whose sockets another thread owns, which this thread reads and writes by system calls of its own.
import { readSync, writevSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { type ErrorRecord, fromErrorRecord, TransportError } from '../errors.ts';
import type { Channel, ChannelReader, Listener } from './channel.ts';
import { DescriptorCell } from './descriptor-cell.ts';
import { FineSleep } from './fine-sleep.ts';
import { broken, piecesFrom } from './socket-channel.ts';
import type { NumberedRequest, OpenedChannel, SocketNews, SocketRequest } from './socket-requests.ts';
import type { ChannelUri } from './uri.ts';

/** Bytes read from the kernel in one go. */
const READ_BYTES = 256 * 1024;
/** Pauses while there is nothing to read, or no room to write: short ones first, in which nothing else is done. */
const PAUSE_NS = 50_000;
const SHORT_PAUSES = 20;
const LONG_PAUSE_MS = 1;

type Answer = { opened?: OpenedChannel; uri?: string };

/** Who reads a channel: its owner, with its event loop, or this thread, which is to do much at once and may be late. */
export type ReadBy = 'owner' | 'this-thread';

/** The sockets that a thread owns for this one. */
export class OwnedSockets {
  readonly #worker: Worker;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >();
  readonly #channels: OwnedChannel[] = [];
  #count = 0;

  /** `worker` hosts a `SocketOwner`. */
  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (news: SocketNews) => this.#take(news));
    // Whoever awaits an answer of a thread that died would wait for ever.
    worker.once('exit', () => {
      for (const { reject } of this.#waiting.values())
        reject(new Error('the thread of the sockets has ended'));
      this.#waiting.clear();
    });
  }

  /** Connects to a destination. @throws as `connectChannel`; an attempt that `signal` has ended goes on unheard */
  async connect(uri: ChannelUri, timeoutMs: number, readBy: ReadBy, signal: AbortSignal): Promise<Channel> {
    signal.throwIfAborted();
    const connected = this.ask({ do: 'connect', uri, timeoutMs });
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    aborted.catch(() => undefined); // also after the race
    return this.#open(await Promise.race([connected, aborted]), readBy);
  }

  /** Listens for a source; `readBy` tells who reads each channel, by its number. @throws TransportError `cannot-listen` */
  async listen(uri: ChannelUri, readBy: (channel: number) => ReadBy): Promise<Listener> {
    const { uri: realUri } = await this.ask({ do: 'listen', uri });
    return {
      uri: realUri!,
      accept: async () => {
        const answer = await this.ask({ do: 'accept' });
        return this.#open(answer, readBy(answer.opened!.channel));
      },
      close: () => void this.ask({ do: 'unlisten' }).catch(() => undefined),
    };
  }

  /** Asks the owner for something. */
  ask(request: SocketRequest): Promise<Answer> {
    const number = this.#count++;
    const message: NumberedRequest = { kind: 'socket-request', number, request };
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage(message);
    });
  }

  #open({ opened }: Answer, readBy: ReadBy): Channel {
    const channel = new OwnedChannel(this, opened!, readBy);
    this.#channels[opened!.channel] = channel;
    return channel;
  }

  #take(news: SocketNews): void {
    switch (news.kind) {
      case 'socket-answer': {
        const waiting = this.#waiting.get(news.number);
        this.#waiting.delete(news.number);
        if ('error' in news) waiting?.reject(rebuild(news.error, news.causeCode));
        else waiting?.resolve(news);
        return;
      }
      case 'socket-data':
        this.#channels[news.channel]!.reader?.data(news.bytes, 0, news.bytes.length);
        return;
      case 'socket-end':
        this.#channels[news.channel]!.reader?.end();
        return;
      case 'socket-error':
        this.#channels[news.channel]!.broke(news.error);
        return;
      default: // of others on the same port
    }
  }
}

/** One of them. */
class OwnedChannel implements Channel {
  readonly peer: string;
  readonly fileDescriptor: number;
  reader: ChannelReader | undefined;
  readonly #sockets: OwnedSockets;
  readonly #channel: number;
  readonly #reads: DescriptorCell;
  readonly #writes: DescriptorCell;
  readonly #readBy: ReadBy;
  #isDestroyed = false;
  #fineSleep: FineSleep | undefined;

  constructor(sockets: OwnedSockets, opened: OpenedChannel, readBy: ReadBy) {
    this.#sockets = sockets;
    this.#channel = opened.channel;
    this.peer = opened.peer;
    this.fileDescriptor = opened.descriptor;
    this.#reads = new DescriptorCell(opened.reads);
    this.#writes = new DescriptorCell(opened.writes);
    this.#readBy = readBy;
  }

  read(reader: ChannelReader): void {
    this.reader = reader;
    if (this.#readBy === 'owner') void this.#ask({ do: 'read', channel: this.#channel });
    else void this.#readOn(reader);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.writeAll([bytes]);
  }

  writeAll(pieces: readonly Uint8Array[]): Promise<void> | undefined {
    let left: readonly Uint8Array[];
    try {
      left = this.#writeNow(pieces);
    } catch (error) {
      return Promise.reject(error);
    }
    return left.length === 0 ? undefined : this.#writeRest(left);
  }

  async end(): Promise<void> {
    await this.#ask({ do: 'end', channel: this.#channel });
  }

  destroy(): void {
    this.#isDestroyed = true;
    void this.#ask({ do: 'destroy', channel: this.#channel });
  }

  /** The owner has found it broken. */
  broke(error: ErrorRecord): void {
    this.reader?.error(fromErrorRecord(error));
  }

  /** What becomes of it is told otherwise. */
  async #ask(request: SocketRequest): Promise<void> {
    await this.#sockets.ask(request).catch(() => undefined);
  }

  /** Writes what the kernel has room for; returns what is left. */
  #writeNow(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
    const taken = this.#writes.use((descriptor) => withoutWaiting(() => writevSync(descriptor, pieces)));
    if (taken === undefined) throw this.#closed();
    if (typeof taken !== 'number') throw broken(this.peer, taken);
    return taken <= 0 ? pieces : piecesFrom(pieces, taken);
  }

  async #writeRest(pieces: readonly Uint8Array[]): Promise<void> {
    let left = pieces;
    for (let pauses = 0; left.length > 0; pauses += 1) {
      await this.#pause(pauses);
      if (this.#isDestroyed) throw this.#closed();
      const before = left;
      left = this.#writeNow(left);
      if (left !== before) pauses = 0;
    }
  }

  async #readOn(reader: ChannelReader): Promise<void> {
    const bytes = new Uint8Array(READ_BYTES);
    for (let pauses = 0; !this.#isDestroyed; ) {
      const count = this.#reads.use((descriptor) => withoutWaiting(() => readSync(descriptor, bytes)));
      if (count === undefined) return; // the owner has closed it, and told why
      if (typeof count !== 'number') {
        reader.error(broken(this.peer, count));
        return;
      }
      if (count === 0) {
        reader.end();
        return;
      }
      if (count > 0) await reader.data(bytes, 0, count);
      pauses = count > 0 ? 0 : pauses + 1;
      if (count < 0) await this.#pause(pauses);
      else await nextTurn();
    }
  }

  async #pause(pauses: number): Promise<void> {
    if (pauses > SHORT_PAUSES) {
      await sleep(LONG_PAUSE_MS);
      return;
    }
    this.#fineSleep ??= new FineSleep();
    this.#fineSleep.sleep(PAUSE_NS);
    await nextTurn();
  }

  #closed(): TransportError {
    return new TransportError('connection-broken', `connection with ${this.peer}: it was closed`);
  }
}

/** The error of the owner, with what the kernel said: who connects looks at that. */
function rebuild(record: ErrorRecord, causeCode: string | undefined): Error {
  if (causeCode === undefined) return fromErrorRecord(record);
  const withCause = { ...record, cause: Object.assign(new Error(record.message), { code: causeCode }) };
  return fromErrorRecord(withCause);
}

const WOULD_WAIT = -1;

/** What a system call gives, -1 if it would have to wait, or the error that it ends with. */
function withoutWaiting(call: () => number): number | NodeJS.ErrnoException {
  try {
    return call();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? WOULD_WAIT : (error as NodeJS.ErrnoException);
  }
}
