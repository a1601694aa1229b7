// A viewer of a feed in a test: keeps all frames and a model of them, and waits for what it is to see.
import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';
import { decodeFrame, encodeControl } from '../../src/feed/feed-codec.ts';
import type { ControlAction, FeedBody, FeedFrame, RunState } from '../../src/feed/feed-messages.ts';
import { FeedModel } from '../../src/feed/feed-model.ts';
import type { Command } from './command.ts';

/** A viewer that waits longer than that for something waits for ever. */
const WAIT_LIMIT_MS = 30_000;

/** Joined to one feed. */
export class FeedViewer {
  readonly model = new FeedModel();
  readonly frames: FeedFrame[] = [];
  readonly socket: WebSocket;
  readonly closed: Promise<unknown>;
  readonly #news = new EventEmitter();

  /** Joins the feed of an end, once it tells where that is. */
  static async join(end: Command): Promise<FeedViewer> {
    const { url } = await end.event((event) => event.kind === 'feed');
    const viewer = new FeedViewer(url);
    await viewer.until(({ last }) => last.hello !== undefined);
    return viewer;
  }

  constructor(url: string) {
    this.socket = new WebSocket(url, 'postcopy-feed-1');
    this.closed = once(this.socket, 'close');
    this.socket.on('message', (bytes: Buffer) => {
      const frame = decodeFrame(bytes);
      this.frames.push(frame);
      this.model.take(frame);
      this.#news.emit('news');
    });
    this.socket.on('close', () => this.#news.emit('news'));
  }

  /** Waits until the model is as awaited. Rejects if the feed ends before, or it takes too long. */
  async until(isSo: (model: FeedModel) => boolean): Promise<void> {
    const signal = AbortSignal.timeout(WAIT_LIMIT_MS);
    while (!isSo(this.model)) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('the feed ended before');
      await once(this.#news, 'news', { signal });
    }
  }

  /** Waits for a state. */
  state(state: RunState): Promise<void> {
    return this.until(({ last }) => last.state?.state === state);
  }

  /** The states that were told, in their order, each once. */
  get states(): RunState[] {
    const told = this.frames.flatMap((frame) => (frame.kind === 'state' ? [frame.state] : []));
    return told.filter((state, index) => state !== told[index - 1]);
  }

  /** Asks for something; what became of it. */
  async ask(
    action: ControlAction,
    more: { rate?: string; rtt?: string } = {},
  ): Promise<FeedBody<'control-answer'>> {
    const before = this.frames.length;
    const found = (): FeedFrame | undefined =>
      this.frames.slice(before).find((frame) => frame.kind === 'control-answer' && frame.action === action);
    this.socket.send(encodeControl({ kind: 'control', action, ...more }));
    await this.until(() => found() !== undefined);
    return found() as FeedBody<'control-answer'>;
  }
}
