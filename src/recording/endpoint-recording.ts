// Writes down what one end of a migration sees on its own channels.
import { type ErrorRecord, toErrorRecord } from '../errors.ts';
import type { Direction } from '../protocol/dissection-entry.ts';
import type { Channel, ChannelReader } from '../transport/channel.ts';
import { RecordingWriter } from './recording-writer.ts';

/** Which end records: it decides which direction its writes are. */
export type RecordingEnd = 'source' | 'destination';

/** How the migration ended, for the recording's result. */
export interface RecordedEnding {
  readonly status: string;
  readonly error?: ErrorRecord;
}

/** The recording of one end. A failure of it ends the recording and leaves the migration alone. */
export class EndpointRecording {
  readonly #end: RecordingEnd;
  readonly #writer: RecordingWriter;
  readonly #recordedAt = new Date().toISOString();
  readonly #peers: string[] = [];
  #failure: { readonly error: unknown } | undefined;
  #isOver = false;

  /** Makes the directory. @throws TransportError `cannot-write-recording`, also if it holds anything */
  constructor(directory: string, end: RecordingEnd) {
    this.#end = end;
    this.#writer = new RecordingWriter(directory);
  }

  /**
   * The channel with both directions written down as they pass; call it in the order in which connections were opened.
   * It shows no file descriptor, so that no other thread writes past the recording. Bytes count as sent when they are
   * handed over to be sent.
   */
  wrap(channel: Channel): Channel {
    const conn = this.#peers.push(channel.peer) - 1;
    const [outward, inward] = this.#end === 'source' ? (['fwd', 'ret'] as const) : (['ret', 'fwd'] as const);
    this.#attempt(() => this.#writer.open(conn));
    const append = (dir: Direction, bytes: Uint8Array): void =>
      this.#attempt(() => this.#writer.append(conn, dir, bytes));
    return {
      peer: channel.peer,
      fileDescriptor: -1,
      read: (reader: ChannelReader) =>
        channel.read({
          data(input, start, end) {
            append(inward, input.subarray(start, end));
            return reader.data(input, start, end);
          },
          end: () => reader.end(),
          error: (error) => reader.error(error),
        }),
      write(bytes) {
        append(outward, bytes);
        return channel.write(bytes);
      },
      writeAll(pieces) {
        // A copy, for vCPUs may write to guest RAM between the recording's look at it and the kernel's.
        const bytes = Buffer.concat(pieces);
        append(outward, bytes);
        return channel.writeAll([bytes]);
      },
      end: () => channel.end(),
      destroy: () => channel.destroy(),
    };
  }

  /** Completes the recording; returns what broke it, if anything did. */
  finish(ending: RecordedEnding): ErrorRecord | undefined {
    const connections = this.#peers.map((peer, conn) => ({ conn, peer }));
    const result = { recordedAt: this.#recordedAt, recordedBy: this.#end, connections, ...ending };
    // A result tells that all is there, so a recording that broke has none.
    if (this.#failure === undefined) this.#attempt(() => this.#writer.finish(result));
    this.#isOver = true;
    return this.#failure === undefined ? undefined : toErrorRecord(this.#failure.error);
  }

  #attempt(action: () => void): void {
    if (this.#isOver || this.#failure !== undefined) return;
    try {
      action();
    } catch (error) {
      this.#failure = { error };
    }
  }
}
