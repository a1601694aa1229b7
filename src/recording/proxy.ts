// Stands between two peers: every connection is opened on to the other side, and its bytes pass unchanged.
import { type ErrorRecord, toErrorRecord } from '../errors.ts';
import type { Direction } from '../protocol/dissection-entry.ts';
import type { Channel, Listener } from '../transport/channel.ts';
import { connectChannel } from '../transport/open.ts';
import type { ChannelUri } from '../transport/uri.ts';

/** Sees what passes. */
export interface ProxyTap {
  /** A connection stands on both sides. */
  open(conn: number, peer: string): void;
  /** Bytes that pass; they are reused after the call, or when its promise is resolved. */
  append(conn: number, dir: Direction, bytes: Uint8Array): void | Promise<void>;
  /** A direction has ended in good order. */
  end(conn: number, dir: Direction): void;
}

/** How a proxy works. */
export interface ProxyOptions {
  readonly listener: Listener;
  readonly to: ChannelUri;
  /** How long connecting on may take, in ms. */
  readonly timeoutMs: number;
  readonly tap: ProxyTap;
  /** Goes on when all connections have ended, until `stop`; for a migration that pauses and recovers. */
  readonly keepsListening: boolean;
}

/** What came of one connection. */
export interface ProxiedConnection {
  readonly conn: number;
  /** URI of the peer that connected. */
  readonly peer: string;
  readonly fwdBytes: number;
  readonly retBytes: number;
  /** What broke it; absent if both sides ended their direction. */
  readonly error?: ErrorRecord;
}

/** What came of all of them. */
export interface ProxyResult {
  readonly connections: readonly ProxiedConnection[];
  /** Why the tap saw nothing more from some point on. The migration went on without it. */
  readonly tapError?: unknown;
}

/** A tap whose failure is kept and does not touch what passes: it may be the middle of a postcopy. */
class GuardedTap implements ProxyTap {
  failure: { readonly error: unknown } | undefined;
  readonly #tap: ProxyTap;

  constructor(tap: ProxyTap) {
    this.#tap = tap;
  }

  open(conn: number, peer: string): void {
    this.#attempt(() => this.#tap.open(conn, peer));
  }

  append(conn: number, dir: Direction, bytes: Uint8Array): void | Promise<void> {
    const tapped = this.#attempt(() => this.#tap.append(conn, dir, bytes));
    return tapped?.catch((error: unknown) => this.#fail(error));
  }

  end(conn: number, dir: Direction): void {
    this.#attempt(() => this.#tap.end(conn, dir));
  }

  #attempt<T>(action: () => T): T | undefined {
    if (this.failure !== undefined) return undefined;
    try {
      return action();
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  #fail(error: unknown): void {
    this.failure ??= { error };
  }
}

/** One connection and its continuation. */
class Bridge {
  readonly #conn: number;
  readonly #sides: Readonly<Record<Direction, { readonly from: Channel; readonly to: Channel }>>;
  readonly #tap: ProxyTap;
  readonly #bytes = { fwd: 0, ret: 0 };
  readonly #ended = new Set<Direction>();
  #isOver = false;
  #finish!: (error: unknown) => void;
  readonly #finished = new Promise<unknown>((resolve) => {
    this.#finish = resolve;
  });

  constructor(conn: number, source: Channel, destination: Channel, tap: ProxyTap) {
    this.#conn = conn;
    this.#sides = { fwd: { from: source, to: destination }, ret: { from: destination, to: source } };
    this.#tap = tap;
  }

  /** Passes bytes until both directions have ended or one side broke. */
  async run(): Promise<ProxiedConnection> {
    this.#pass('fwd');
    this.#pass('ret');
    const error = await this.#finished;
    this.#isOver = true;
    const { from, to } = this.#sides.fwd;
    from.destroy();
    to.destroy();
    const { fwd: fwdBytes, ret: retBytes } = this.#bytes;
    const figures = { conn: this.#conn, peer: from.peer, fwdBytes, retBytes };
    return error === undefined ? figures : { ...figures, error: toErrorRecord(error) };
  }

  #pass(dir: Direction): void {
    const { from, to } = this.#sides[dir];
    const fail = (error: unknown): void => this.#finish(error);
    from.read({
      data: (input, start, end) => {
        if (this.#isOver) return undefined;
        const bytes = input.subarray(start, end);
        this.#bytes[dir] += bytes.length;
        // Passed on first: what the tap does must not delay it. Nothing more is read until both are done.
        const written = to.write(bytes).catch(fail);
        const tapped = this.#tap.append(this.#conn, dir, bytes);
        return tapped === undefined ? written : Promise.all([written, tapped]).then(() => undefined);
      },
      end: () => {
        if (this.#isOver) return;
        this.#tap.end(this.#conn, dir);
        to.end().then(() => {
          this.#ended.add(dir);
          if (this.#ended.size === 2) this.#finish(undefined);
        }, fail);
      },
      error: fail,
    });
  }

  /** Breaks both sides off. */
  stop(): void {
    for (const { from } of Object.values(this.#sides)) from.destroy();
    this.#finish(undefined);
  }
}

/** A proxy. Connections are opened on in the order in which they were accepted, one after the other (rule D101). */
export class MigrationProxy {
  readonly #options: ProxyOptions;
  readonly #tap: GuardedTap;
  #isStopped = false;
  readonly #open = new Set<Bridge>();
  readonly #connections: ProxiedConnection[] = [];
  readonly #running: Promise<void>[] = [];

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#tap = new GuardedTap(options.tap);
  }

  /** Passes until all connections have ended. Whatever broke one stands in its result. */
  async run(): Promise<ProxyResult> {
    const { listener } = this.#options;
    for (let conn = 0; ; conn += 1) {
      const source = await listener.accept().catch(() => undefined); // closed: by stop, or when all have ended
      if (source === undefined) break;
      const bridge = await this.#connectOn(conn, source);
      if (bridge !== undefined) this.#running.push(this.#runBridge(bridge));
    }
    await Promise.all(this.#running);
    const connections = this.#connections.sort((a, b) => a.conn - b.conn);
    return this.#tap.failure === undefined
      ? { connections }
      : { connections, tapError: this.#tap.failure.error };
  }

  /** Breaks off what is open and ends `run`. */
  stop(): void {
    this.#isStopped = true;
    this.#options.listener.close();
    for (const bridge of this.#open) bridge.stop();
  }

  async #connectOn(conn: number, source: Channel): Promise<Bridge | undefined> {
    const { to, timeoutMs } = this.#options;
    try {
      const destination = await connectChannel(to, timeoutMs);
      this.#tap.open(conn, source.peer);
      const bridge = new Bridge(conn, source, destination, this.#tap);
      this.#open.add(bridge);
      if (this.#isStopped) bridge.stop();
      return bridge;
    } catch (error) {
      source.destroy();
      this.#end({ conn, peer: source.peer, fwdBytes: 0, retBytes: 0, error: toErrorRecord(error) });
      return undefined;
    }
  }

  async #runBridge(bridge: Bridge): Promise<void> {
    const connection = await bridge.run();
    this.#open.delete(bridge);
    this.#end(connection);
  }

  #end(connection: ProxiedConnection): void {
    this.#connections.push(connection);
    if (this.#open.size === 0 && !this.#options.keepsListening) this.#options.listener.close();
  }
}
