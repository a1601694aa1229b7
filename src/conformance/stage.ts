// The suite's end of one run: opens connections, writes every byte down, and waits in bounded time.
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { TransportError } from '../errors.ts';
import type { Direction } from '../protocol/dissection-entry.ts';
import type { Channel, Listener } from '../transport/channel.ts';
import { connectChannel } from '../transport/open.ts';
import { type ChannelUri, formatUri } from '../transport/uri.ts';
import { ExchangeRecorder } from './exchange.ts';
import type { Peer } from './peer.ts';
import { NoRun } from './scenario.ts';
import type { Subject } from './subject.ts';

/** A starting peer is tried again after so long. */
const RETRY_MS = 15;

/** Takes bytes of the peer, which is held back until a promise that it returns is resolved. */
export type OnBytes = (bytes: Uint8Array) => void | Promise<void>;

/** One connection of a run. */
export class StageChannel {
  readonly conn: number;
  /** Whether the peer has ended its direction, or the connection broke. */
  isClosed = false;
  readonly #channel: Channel;
  readonly #recorder: ExchangeRecorder;
  readonly #sends: Direction;
  #hasEnded = false;

  constructor(
    channel: Channel,
    options: {
      readonly conn: number;
      readonly sends: Direction;
      readonly recorder: ExchangeRecorder;
      readonly onNews: () => void;
      readonly onBytes: OnBytes | undefined;
    },
  ) {
    this.conn = options.conn;
    this.#channel = channel;
    this.#recorder = options.recorder;
    this.#sends = options.sends;
    const receives = options.sends === 'fwd' ? 'ret' : 'fwd';
    const close = (): void => {
      if (this.isClosed) return;
      this.isClosed = true;
      options.recorder.ending(this.conn, 'peer');
      options.onNews();
    };
    channel.read({
      data: (input, start, end) => {
        const bytes = input.slice(start, end);
        options.recorder.piece(this.conn, receives, bytes);
        const taken = options.onBytes?.(bytes);
        options.onNews();
        return taken;
      },
      end: close,
      error: close,
    });
  }

  /** Sends bytes. A peer that has gone is no error: `isClosed` tells. */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.isClosed || this.#hasEnded || bytes.length === 0) return;
    this.#recorder.piece(this.conn, this.#sends, bytes);
    await this.#channel.write(bytes).catch(() => undefined);
  }

  /** Ends our direction. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#recorder.ending(this.conn, 'suite');
    this.#channel.end().catch(() => undefined);
  }

  /** Drops the connection. */
  destroy(): void {
    this.#channel.destroy();
  }
}

/** What a stage is made of. */
export interface StageOptions {
  readonly subject: Subject;
  readonly uri: ChannelUri;
  readonly peer: Peer;
  /** In the source role: listens for the peer. */
  readonly listener: Listener | undefined;
  readonly signal: AbortSignal;
}

/** The suite's end of a run. */
export class Stage {
  readonly subject: Subject;
  readonly peer: Peer;
  readonly exchange = new ExchangeRecorder();
  readonly channels: StageChannel[] = [];
  readonly #options: StageOptions;
  readonly #news = new EventEmitter();
  #isOver = false;
  readonly #onAbort = (): void => {
    this.#news.emit('news');
  };

  constructor(options: StageOptions) {
    this.#options = options;
    this.subject = options.subject;
    this.peer = options.peer;
    void options.peer.ended.then(() => this.#news.emit('news'));
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Ends what is left of the run. */
  close(): void {
    for (const channel of this.channels) channel.destroy();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#isOver = true; // who still waits, waits in vain
    this.#news.emit('news');
  }

  /** Destination role: connects to the peer, as soon as it listens. @throws NoRun */
  async connect(onBytes?: OnBytes): Promise<StageChannel> {
    const { uri, signal } = this.#options;
    const { timeoutMs } = this.subject;
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      try {
        return this.#adopt(await connectChannel(uri, timeoutMs), 'fwd', onBytes);
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        const late = performance.now() > deadlineMs;
        if (!late && !this.peer.hasEnded && !signal.aborted) await sleep(RETRY_MS);
        else throw new NoRun(`cannot connect to the peer at ${formatUri(uri)}: ${await this.#why(error)}`);
      }
    }
  }

  /** Source role: takes the next connection of the peer; undefined if none comes in time. */
  async accept(onBytes?: OnBytes, timeoutMs = this.subject.timeoutMs): Promise<StageChannel | undefined> {
    let accepted: Channel | undefined;
    void this.#options.listener!.accept().then(
      (channel) => {
        accepted = channel;
        this.#news.emit('news');
      },
      () => undefined, // nobody listens any more: the run is over
    );
    await this.until(() => accepted !== undefined || this.peer.hasEnded, timeoutMs);
    return accepted === undefined ? undefined : this.#adopt(accepted, 'ret', onBytes);
  }

  /** Waits until `look` is true; false if the time is over first. It looks again whenever something happens. */
  async until(look: () => boolean, timeoutMs = this.subject.timeoutMs): Promise<boolean> {
    if (look()) return true;
    const { signal } = this.#options;
    return await new Promise((resolve) => {
      const finish = (found: boolean): void => {
        clearTimeout(timer);
        this.#news.off('news', onNews);
        resolve(found);
      };
      const timer = setTimeout(() => finish(look()), timeoutMs);
      const onNews = (): void => {
        if (look()) finish(true);
        else if (signal.aborted || this.#isOver) finish(false);
      };
      this.#news.on('news', onNews);
      onNews();
    });
  }

  #adopt(channel: Channel, sends: Direction, onBytes: OnBytes | undefined): StageChannel {
    const adopted = new StageChannel(channel, {
      conn: this.channels.length,
      sends,
      recorder: this.exchange,
      onNews: () => this.#news.emit('news'),
      onBytes,
    });
    this.channels.push(adopted);
    this.exchange.opening(adopted.conn);
    return adopted;
  }

  async #why(error: TransportError): Promise<string> {
    if (!this.peer.hasEnded) return error.message;
    const { exitCode, lastWords } = await this.peer.ended;
    return `it ended with ${exitCode}${lastWords === '' ? '' : `: ${lastWords}`}`;
  }
}
