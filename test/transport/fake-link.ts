// Time and a channel for tests of an emulated link: nothing happens but what the test says.
import type { Channel, ChannelReader } from '../../src/transport/channel.ts';
import type { LinkTimer } from '../../src/transport/link-timer.ts';

/** A timer whose time the test moves. */
export class FakeTimer implements LinkTimer {
  now = 0;
  onWake: () => void = () => undefined;
  onQuiet: () => void = () => undefined;
  /** When it would wake the link next. */
  atNs: number | undefined;
  latestNs: number | undefined;
  writeCount = 0;

  nowNs(): number {
    return this.now;
  }

  wakeAt(atNs: number | undefined, latestNs = atNs): void {
    this.atNs = atNs;
    this.latestNs = latestNs;
  }

  noteWrite(): void {
    this.writeCount += 1;
  }

  /** Lets time pass, sharp to the ns; or only the end of it, as if this process had not run in between. */
  pass(durationNs: number, isPreempted = false): void {
    const endNs = this.now + durationNs;
    if (isPreempted) this.now = endNs;
    while (this.atNs !== undefined && this.atNs <= endNs) {
      this.now = Math.max(this.now, this.atNs);
      this.atNs = undefined;
      this.onWake();
    }
    this.now = endNs;
  }
}

/** A channel below the link: keeps what it is given, with the time, and takes nothing while it is told to. */
export class FakeChannel implements Channel {
  readonly peer = 'tcp:fake:1';
  readonly fileDescriptor = 7;
  readonly written: { atNs: number; bytes: Buffer }[] = [];
  readonly calls: string[] = [];
  reader: ChannelReader | undefined;
  /** Takes bytes and tells so only when `release` is called. */
  isFull = false;
  #release: { resolve: () => void; reject: (error: Error) => void } | undefined;
  readonly #timer: FakeTimer;

  constructor(timer: FakeTimer) {
    this.#timer = timer;
  }

  /** All bytes in their order. */
  get bytes(): Buffer {
    return Buffer.concat(this.written.map(({ bytes }) => bytes));
  }

  read(reader: ChannelReader): void {
    this.reader = reader;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.writeAll([bytes]);
  }

  writeAll(pieces: readonly Uint8Array[]): Promise<void> | undefined {
    this.written.push({ atNs: this.#timer.now, bytes: Buffer.concat(pieces) });
    if (!this.isFull) return undefined;
    return new Promise((resolve, reject) => {
      this.#release = { resolve, reject };
    });
  }

  /** The peer has read, or the write failed; returns when the link was told. */
  async release(error?: Error): Promise<void> {
    if (error === undefined) this.#release?.resolve();
    else this.#release?.reject(error);
    await Promise.resolve();
    await Promise.resolve();
  }

  end(): Promise<void> {
    this.calls.push(`end at ${this.#timer.now}`);
    return Promise.resolve();
  }

  destroy(): void {
    this.calls.push('destroy');
  }
}
