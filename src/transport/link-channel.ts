// A channel over an emulated link: holds bytes until they would have arrived, and holds back who has too many.
import { TransportError } from '../errors.ts';
import type { Channel, ChannelReader } from './channel.ts';
import type { LinkDirection } from './link-direction.ts';
import type { LinkFlow } from './link-flow.ts';

/** What a channel needs of its link. */
export interface LinkPort {
  nowNs(): number;
  readonly forward: LinkDirection;
  readonly returnPath: LinkDirection;
  /** Something was handed to the forward direction. */
  handedForward(): void;
  /** Somebody who waited for room has it now. */
  noteTaken(): void;
  /** The same for the return path. */
  handedBack(): void;
}

/** A channel whose bytes take the time that the link needs for them. */
export class LinkChannel implements Channel {
  readonly peer: string;
  readonly fileDescriptor = -1;
  readonly #channel: Channel;
  readonly #link: LinkPort;
  readonly #outward: LinkFlow;
  #inward: LinkFlow | undefined;
  #failure: Error | undefined;
  /** Who waits for room in the queue. */
  readonly #waiting = new Set<(error: Error) => void>();

  constructor(channel: Channel, link: LinkPort) {
    this.peer = channel.peer;
    this.#channel = channel;
    this.#link = link;
    this.#outward = link.forward.open((pieces) => this.#deliverOutward(pieces));
  }

  read(reader: ChannelReader): void {
    const { returnPath, nowNs, handedBack } = this.#link;
    const inward = returnPath.open((pieces) => this.#deliverInward(reader, pieces));
    this.#inward = inward;
    const mark = (onArrival: () => void): void => {
      returnPath.handMark(inward, onArrival, nowNs());
      handedBack();
    };
    this.#channel.read({
      data: (input, start, end) => {
        let isTaken = false;
        let resolve: (() => void) | undefined;
        returnPath.hand(inward, [input.slice(start, end)], nowNs(), () => {
          isTaken = true;
          resolve?.();
        });
        handedBack();
        // The queue at the destination is full: it is kept from writing more.
        return isTaken
          ? undefined
          : new Promise<void>((taken) => {
              resolve = taken;
            });
      },
      end: () => mark(() => reader.end()),
      // Behind what came before it, in which the peer may have said why it leaves.
      error: (error) => mark(() => reader.error(error)),
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.writeAll([bytes]) ?? Promise.resolve();
  }

  /** Taken are bytes when the queue has them, as a socket without a buffer of its own would tell. */
  writeAll(pieces: readonly Uint8Array[]): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    let isTaken = false;
    let take: (() => void) | undefined;
    const { forward, nowNs, handedForward } = this.#link;
    forward.hand(this.#outward, keep(pieces), nowNs(), () => {
      isTaken = true;
      take?.();
    });
    handedForward();
    if (isTaken) return undefined;
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      take = () => {
        this.#link.noteTaken(); // who waited for room may now write more
        this.#waiting.delete(reject);
        resolve();
      };
    });
  }

  async end(): Promise<void> {
    if (this.#failure === undefined) {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.add(reject);
        this.#link.forward.handMark(this.#outward, resolve, this.#link.nowNs());
        this.#link.handedForward();
      }).catch(() => undefined); // the connection is gone, and with it what was to come before the end
    }
    await this.#channel.end();
  }

  destroy(): void {
    this.#fail(new TransportError('connection-broken', `connection with ${this.peer}: dropped here`));
    if (this.#inward !== undefined) this.#link.returnPath.close(this.#inward);
    this.#channel.destroy();
  }

  #deliverOutward(pieces: readonly Uint8Array[]): boolean {
    const pending = this.#channel.writeAll(pieces);
    pending?.then(
      () => {
        this.#link.forward.resume(this.#outward, this.#link.nowNs());
        this.#link.handedForward();
      },
      (error: Error) => this.#fail(error),
    );
    return pending === undefined;
  }

  #deliverInward(reader: ChannelReader, pieces: readonly Uint8Array[]): boolean {
    for (const [index, piece] of pieces.entries()) {
      const taking = reader.data(piece, 0, piece.length);
      if (taking === undefined) continue;
      void this.#deliverRest(reader, taking, pieces.slice(index + 1));
      return false;
    }
    return true;
  }

  /** Goes on when the reader has done with what it holds. */
  async #deliverRest(
    reader: ChannelReader,
    taking: Promise<void>,
    rest: readonly Uint8Array[],
  ): Promise<void> {
    try {
      await taking;
      for (const piece of rest) await reader.data(piece, 0, piece.length);
    } catch (error) {
      reader.error(error as Error);
      return;
    }
    this.#link.returnPath.resume(this.#inward!, this.#link.nowNs());
    this.#link.handedBack();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#link.forward.close(this.#outward);
    for (const reject of this.#waiting) reject(this.#failure);
    this.#waiting.clear();
  }
}

/**
 * The pieces so that they stay as they are. Those in shared memory are guest RAM, which is read when it leaves, with
 * or without a link (see the record batch); the heads between them are overwritten after the call, and copied.
 */
function keep(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  const isKept = (piece: Uint8Array): boolean => piece.buffer instanceof SharedArrayBuffer;
  const copiedBytes = pieces.reduce((sum, piece) => (isKept(piece) ? sum : sum + piece.length), 0);
  const copies = new Uint8Array(copiedBytes);
  let end = 0;
  return pieces.map((piece) => {
    if (isKept(piece)) return piece;
    copies.set(piece, end);
    end += piece.length;
    return copies.subarray(end - piece.length, end);
  });
}
