// Gathers the frames of both ends, or of a saved run, into one log, and serves them to viewers.
import msgpack from 'msgpack-lite';
import type { WebSocket } from 'ws';
import { MigrationError } from '../errors.ts';
import { decodeControl, encodeControl } from '../feed/feed-codec.ts';
import type { ControlMessage } from '../feed/feed-messages.ts';
import { JoinedEnd } from './joined-end.ts';
import type { EndName } from './model/frame.ts';
import { readFrame } from './model/read-frame.ts';
import { RunLog } from './model/run-log.ts';
import { Viewer } from './viewer.ts';

/** What is watched. */
export interface WatchedEnds {
  readonly source?: string | undefined;
  readonly destination?: string | undefined;
}

const PING_MS = 5000;
const CLOSE_UNSUPPORTED = 1003;
const CLOSE_POLICY = 1008;

/** A run that is watched. */
export class WatchRun {
  readonly log = new RunLog();
  readonly #viewers = new Map<WebSocket, Viewer>();
  readonly #ends: JoinedEnd[] = [];
  readonly #control: boolean;
  #file = '';
  /** Frames that were neither kept nor passed on. */
  refusedFrames = 0;

  constructor(control: boolean) {
    this.#control = control;
  }

  /** Joins an end. Its frames are not believed to be of another. */
  join(end: EndName, url: string): void {
    const joined = new JoinedEnd(end, url, {
      onFrame: (bytes) => this.#take(end, bytes),
      onChange: () => this.#tellAll(this.#watchFrame()),
    });
    this.#ends.push(joined);
    this.#tellAll(this.#watchFrame());
  }

  /** Leaves an end that is not watched any more; what it said stays. */
  leave(url: string): void {
    const index = this.#ends.findIndex((joined) => joined.url === url);
    if (index < 0) return;
    this.#ends.splice(index, 1)[0]!.close();
    this.#tellAll(this.#watchFrame());
  }

  /** Shows the frames of a saved run. */
  open(name: string, frames: readonly Uint8Array[]): void {
    this.#file = name;
    for (const bytes of frames) this.#take(undefined, bytes);
  }

  #take(end: EndName | undefined, bytes: Uint8Array): void {
    const frame = readFrame(bytes, (document) => msgpack.decode(document));
    if (frame.kind === 'refused' || frame.kind === 'watch' || (end !== undefined && frame.end !== end)) {
      this.refusedFrames += 1;
      return;
    }
    if (frame.kind === 'control-answer') {
      this.#tellAll(bytes);
    } else if (this.log.take(frame, bytes)) {
      for (const viewer of this.#viewers.values()) viewer.pump();
    }
    if (this.log.isFull && frame.kind !== 'hello') {
      this.#ends.find((joined) => joined.end === frame.end)?.rejoin();
    }
  }

  #watchFrame(): Uint8Array {
    const ends = this.#ends.map(({ end, url, isConnected, reason }) => ({
      end,
      url,
      connected: isConnected,
      reason,
    }));
    return msgpack.encode({ kind: 'watch', ends, control: this.#control, file: this.#file });
  }

  #tellAll(bytes: Uint8Array): void {
    for (const viewer of this.#viewers.values()) viewer.tell(bytes);
  }

  /** A viewer has come. */
  attach(socket: WebSocket): void {
    const viewer = new Viewer(socket, this.log);
    this.#viewers.set(socket, viewer);
    let isAlive = true;
    const timer = setInterval(() => {
      if (isAlive) socket.ping();
      else socket.terminate();
      isAlive = false;
    }, PING_MS);
    socket.on('pong', () => {
      isAlive = true;
    });
    socket.on('message', (bytes, isBinary) => {
      if (!isBinary) socket.close(CLOSE_UNSUPPORTED, 'only binary messages');
      else this.#takeControl(socket, viewer, bytes as Buffer);
    });
    socket.on('error', () => socket.terminate()); // too long a message, or no WebSocket at all
    socket.on('close', () => {
      clearInterval(timer);
      this.#viewers.delete(socket);
    });
    viewer.tell(this.#watchFrame());
    viewer.pump();
  }

  #takeControl(socket: WebSocket, viewer: Viewer, bytes: Buffer): void {
    let message: ControlMessage;
    try {
      message = decodeControl(bytes);
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error;
      socket.close(CLOSE_POLICY, error.message.slice(0, 120));
      return;
    }
    const reason = this.#control
      ? this.#passOn(message)
      : 'this page may only look: it is served without --control';
    if (reason === undefined) return; // the end will answer
    const head = { kind: 'control-answer', seq: 0, at: 0, end: 'source' };
    viewer.tell(msgpack.encode({ ...head, action: message.action, ok: false, reason }));
  }

  /** Passes it on to the source, whose business all of it is; why not, if it cannot. */
  #passOn(message: ControlMessage): string | undefined {
    const order = this.#ends.toSorted((a) => (a.end === 'source' ? -1 : 1));
    const bytes = encodeControl(message);
    return order.some((joined) => joined.send(bytes)) ? undefined : 'neither end is connected';
  }

  /** Ends: viewers are told, ends are left. */
  close(): void {
    for (const joined of this.#ends) joined.close();
    for (const socket of this.#viewers.keys()) socket.close(1001, 'the watch has ended');
  }
}
