// What an emulated link is: a rate, a delay and a queue in each direction.

/** One direction of a link. */
export interface LinkDirectionSpec {
  readonly bytesPerSecond: number;
  /** From the moment at which a bit has left to the one at which it arrives. */
  readonly delayNs: number;
  /** Bytes that may wait to leave, those that are leaving included. More are held back where they come from. */
  readonly queueBytes: number;
}

/** A link that all channels of a migration share. */
export interface LinkSpec {
  /** From the source to the destination. */
  readonly forward: LinkDirectionSpec;
  readonly returnPath: LinkDirectionSpec;
}

/** So much of its rate Linux lets a socket queue below itself (TCP small queues). */
const QUEUE_SECONDS = 1e-3;
/** A slow link queues a few segments all the same. */
const LEAST_QUEUE_BYTES = 16 * 1024;

/** The queue of a link for which none was given: 1 ms of its rate, and at least 16 KiB. */
export function defaultQueueBytes(bytesPerSecond: number): number {
  return Math.max(LEAST_QUEUE_BYTES, Math.round(bytesPerSecond * QUEUE_SECONDS));
}
