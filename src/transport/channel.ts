// What a channel is: an ordered stream of bytes in both directions, whatever carries it.
import type { LentDescriptor } from './socket-requests.ts';

/** Takes what comes in on a channel. */
export interface ChannelReader {
  /**
   * Bytes `input[start..end)`. The array is reused after the call, so copy what must stay; or return a promise: until
   * it is resolved the array stays as it is and nothing more is read, so that the peer is held back.
   */
  data(input: Uint8Array, start: number, end: number): void | Promise<void>;
  /** The peer has ended its direction. */
  end(): void;
  /** The channel broke. */
  error(error: Error): void;
}

/** One connection of a migration. */
export interface Channel {
  /** URI of the peer, for messages. */
  readonly peer: string;
  /**
   * File descriptor that other threads may write whole messages to, or -1 if there is none. It is valid until
   * `destroy`.
   */
  readonly fileDescriptor: number;
  /** For a thread that does not own the channel, but reads or writes it; undefined, or missing, where it cannot. */
  lend?(): LentDescriptor | undefined;
  /** Starts reading; call it once. */
  read(reader: ChannelReader): void;
  /** Writes bytes; they may be reused when the promise resolves. @throws TransportError */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Writes pieces one behind the other. Returns undefined if the kernel has taken them all, so that nobody need wait;
   * else they may be reused when the promise resolves. @throws TransportError
   */
  writeAll(pieces: readonly Uint8Array[]): Promise<void> | undefined;
  /** Ends our direction after what was written, so that the peer reads it all and then the end. */
  end(): Promise<void>;
  /** Drops the connection at once. */
  destroy(): void;
}

/** A listening address. */
export interface Listener {
  /** URI that a source can use to reach it, with the real port. */
  readonly uri: string;
  /** The next connection, in the order in which they were accepted. */
  accept(): Promise<Channel>;
  /** Stops listening; accepted channels stay. */
  close(): void;
}
