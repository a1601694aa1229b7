// Connects to a peer that may not listen yet.
import { setTimeout as sleep } from 'node:timers/promises';
import { TransportError } from '../errors.ts';
import type { Channel } from './channel.ts';
import { connectChannel } from './open.ts';
import type { ChannelUri } from './uri.ts';

/** Between two attempts: short beside the start of a process, long beside an attempt. */
const RETRY_MS = 100;

/** What an attempt fails with while the peer, its host, or the host's name is still to come up. */
const NOT_YET = ['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];

/** How long to try, and who may end that. */
export interface Patience {
  /** How long one attempt may take. */
  readonly attemptMs: number;
  /** How long attempts go on while nobody listens; 0 is one attempt. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
  /** Called once, when the first attempt has found nobody. */
  onWait?(error: TransportError): void;
}

function isNotYet(error: unknown): error is TransportError {
  const cause =
    error instanceof TransportError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return NOT_YET.includes(cause?.code ?? '');
}

/**
 * Connects as soon as somebody listens.
 *
 * Only an address where nobody is yet is tried again: whatever else goes wrong would go wrong again.
 *
 * @throws TransportError; what `signal` was aborted with
 */
export async function connectPatiently(uri: ChannelUri, patience: Patience): Promise<Channel> {
  const { attemptMs, patienceMs, signal } = patience;
  const deadlineMs = performance.now() + patienceMs;
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await connectChannel(uri, attemptMs, signal);
    } catch (error) {
      if (!isNotYet(error) || patienceMs === 0) throw error;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) {
        const message = `${error.message}; nobody listened in ${patienceMs} ms, ${attempts} attempts`;
        throw new TransportError(error.code, message, { cause: error });
      }
      if (attempts === 1) patience.onWait?.(error);
      await sleep(Math.min(RETRY_MS, leftMs), undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}
