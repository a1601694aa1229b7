// Gives the bytes of all connections of a migration to the dissector of their stream.
import { type MigrationError, toErrorRecord } from '../errors.ts';
import { StreamDissector } from '../protocol/dissect.ts';
import { PreemptDissector } from '../protocol/dissect-preempt.ts';
import { ReturnPathDissector } from '../protocol/dissect-return-path.ts';
import type { Direction, DissectionSink, StreamName } from '../protocol/dissection-entry.ts';
import type { Profile } from '../protocol/profile.ts';
import type { TimedSink } from './timed-entry.ts';

const HEADER_FIRST_BYTE = 0x51;
const COMMAND_FIRST_BYTE = 0x08;

/** One direction of one connection. */
interface OpenStream {
  readonly stream: StreamName;
  readonly dissector: StreamDissector | PreemptDissector | ReturnPathDissector;
  pushedBytes: number;
  isEnded: boolean;
}

/** How to dissect. */
export interface SessionOptions {
  readonly profile: Profile;
  /** Connections that are known to be preempt channels; others are told by their first byte. */
  readonly preemptConns?: readonly number[];
}

/** Dissectors for all connections of a migration. */
export class DissectionSession {
  readonly #sink: TimedSink;
  readonly #options: SessionOptions;
  readonly #streams = new Map<string, OpenStream>();
  /** The main channel; one that goes on after a pause takes the place of the one before. */
  #main: StreamDissector | undefined;
  #tSeconds: number | undefined;
  #hasFailed = false;

  constructor(sink: TimedSink, options: SessionOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  /** Whether any stream is broken or cut off. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Bytes given so far of each direction of each connection, by `c0.fwd`. */
  get pushedBytes(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#streams].map(([key, { pushedBytes }]) => [key, pushedBytes]));
  }

  /** Dissects bytes. `tSeconds` is when they passed, in seconds since the first byte; undefined if nobody knows. */
  push(conn: number, dir: Direction, bytes: Uint8Array, tSeconds: number | undefined): void {
    if (bytes.length === 0) return;
    this.#tSeconds = tSeconds;
    const key = `c${conn}.${dir}`;
    let open = this.#streams.get(key);
    if (open === undefined) {
      open = this.#open(conn, dir, bytes[0]!);
      this.#streams.set(key, open);
    }
    open.pushedBytes += bytes.length;
    if (!open.isEnded) open.dissector.push(bytes);
  }

  /** Tells that nothing more of a direction can be had, because of `error`. */
  breakOff(conn: number, dir: Direction, error: MigrationError): void {
    const open = this.#streams.get(`c${conn}.${dir}`);
    if (open?.isEnded === true) return;
    if (open !== undefined) open.isEnded = true;
    const stream = open?.stream ?? (dir === 'ret' ? 'return path' : 'main');
    const offset = open?.pushedBytes ?? 0;
    this.#hasFailed = true;
    const record = { ...toErrorRecord(error), offset, stream };
    this.#sink.entry({
      tSeconds: this.#tSeconds,
      conn,
      dir,
      entry: { kind: 'error', stream, streamOffset: 0, error: record },
    });
  }

  /** Tells that a direction has ended. */
  endStream(conn: number, dir: Direction): void {
    const open = this.#streams.get(`c${conn}.${dir}`);
    if (open === undefined || open.isEnded) return;
    open.isEnded = true;
    open.dissector.end();
  }

  /** Tells that all has ended. */
  end(): void {
    for (const key of this.#streams.keys()) {
      const [, conn, dir] = /^c(\d+)\.(fwd|ret)$/.exec(key)!;
      this.endStream(Number(conn), dir as Direction);
    }
  }

  #open(conn: number, dir: Direction, firstByte: number): OpenStream {
    const { profile } = this.#options;
    const entry: DissectionSink['entry'] = (dissected) => {
      this.#hasFailed ||= dissected.kind === 'error';
      this.#sink.entry({ tSeconds: this.#tSeconds, conn, dir, entry: dissected });
    };
    const sink: DissectionSink = {
      entry,
      pageBytes: (input, start, end, at) => this.#sink.pageBytes?.(conn, input, start, end, at),
      pageEnd: () => this.#sink.pageEnd(conn, this.#tSeconds),
    };
    const state = { pushedBytes: 0, isEnded: false };
    if (dir === 'ret') {
      // The extension's messages are legal: who reads along does not ask whether they were agreed.
      const dissector = new ReturnPathDissector(sink, { profile, extension: true });
      return { stream: 'return path', dissector, ...state };
    }
    const begins = firstByte === COMMAND_FIRST_BYTE ? 'sections' : 'header';
    if (this.#isPreempt(conn, firstByte)) {
      return { stream: 'preempt', dissector: new PreemptDissector(sink), ...state };
    }
    const announced = this.#main?.announced ?? new Map();
    const options = { profile, begins, stream: 'main', extension: true, announced } as const;
    const dissector = new StreamDissector(sink, options);
    this.#main = dissector;
    return { stream: 'main', dissector, ...state };
  }

  /** A main channel begins with the header or, when it goes on after a pause, with a command (rule D104). */
  #isPreempt(conn: number, firstByte: number): boolean {
    if (this.#options.preemptConns?.includes(conn) === true) return true;
    return conn > 0 && firstByte !== HEADER_FIRST_BYTE && firstByte !== COMMAND_FIRST_BYTE;
  }
}
