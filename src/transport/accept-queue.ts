// Hands accepted channels out in the order in which they came.
import { TransportError } from '../errors.ts';
import type { Channel } from './channel.ts';

/** A queue between a server's connection events and whoever awaits the next channel. */
export class AcceptQueue {
  readonly #arrived: Channel[] = [];
  readonly #waiting: { resolve: (channel: Channel) => void; reject: (error: Error) => void }[] = [];
  #isClosed = false;

  /** Adds a channel. After `close` it is dropped. */
  push(channel: Channel): void {
    const waiter = this.#waiting.shift();
    if (this.#isClosed) channel.destroy();
    else if (waiter !== undefined) waiter.resolve(channel);
    else this.#arrived.push(channel);
  }

  /** The next channel. @throws TransportError `listener-closed` */
  next(): Promise<Channel> {
    const channel = this.#arrived.shift();
    if (channel !== undefined) return Promise.resolve(channel);
    if (this.#isClosed) return Promise.reject(closed());
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Refuses whoever waits and drops what nobody took. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(closed());
    for (const channel of this.#arrived.splice(0)) channel.destroy();
  }
}

function closed(): TransportError {
  return new TransportError('listener-closed', 'the listener was closed before a source connected');
}
