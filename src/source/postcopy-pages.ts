// The pages after the switchover: which batch leaves when, and the PINGs among them that bound what is under way.
import { encodeCommand } from '../protocol/commands.ts';
import type { FlightWindow } from './flight-window.ts';
import type { OutgoingStream, SendClass, Steps } from './outgoing-stream.ts';
import { type FeedChannels, PageFeed } from './page-feed.ts';
import type { PageOrder } from './page-order.ts';
import type { PingLog } from './ping-log.ts';
import type { PushPhase } from './push/push-phase.ts';
import type { RequestLog } from './request-log.ts';

/** With a preempt channel a request is looked for after so many bytes of background: 64 KiB are 30 us of a fast loopback. */
const PREEMPTIBLE_BATCH_BYTES = 64 * 1024;

/** So often a paused push looks whether it may go on, and so often it sends a PING. */
const PAUSE_LOOK_NS = 20e6;
const KEEP_ALIVE_NS = 1e9;

/** What is sent, and where. */
export interface PostcopyPages extends FeedChannels {
  readonly order: PageOrder;
  readonly flight: FlightWindow;
  readonly push: PushPhase;
  /** Told what the source is doing, and when. */
  readonly requests: RequestLog;
  readonly pings: PingLog;
  /** Background pages leave in batches of at most about so many bytes. */
  readonly backgroundBatchBytes: number | undefined;
}

/** Sends all dirty pages: requested ones first, and of the background no more at once than the window lets. */
export function* sendPages({
  order,
  flight,
  push,
  requests,
  pings,
  backgroundBatchBytes = Number.POSITIVE_INFINITY,
  ...channels
}: PostcopyPages): Steps {
  const { main, preempt } = channels;
  const feed = new PageFeed(order, channels);
  const mayGoOn = (): boolean => !flight.isFull || feed.isUrgent;
  const batchLimit =
    preempt === undefined ? backgroundBatchBytes : Math.min(PREEMPTIBLE_BATCH_BYTES, backgroundBatchBytes);
  yield* main.beginRamPayload('SECTION_PART', 'background');
  let aliveNs = main.nowNs;
  for (;;) {
    if (!mayGoOn()) {
      requests.begin('behindLimit', main.nowNs);
      yield* main.perform({ do: 'await-return-path', what: 'PONG', isHere: mayGoOn });
    }
    main.batchBytes = Math.min(batchLimit, flight.batchBytes);
    const beforeNs = Math.max(main.nowNs, preempt?.nowNs ?? 0);
    requests.begin('source', beforeNs);
    const filled = feed.fill();
    if (filled === undefined && order.isPushPaused && order.hasDirty) {
      aliveNs = yield* stayPaused(main, flight, pings, aliveNs);
      continue;
    }
    if (filled === undefined) {
      if (yield* push.awaitRequest(main)) continue;
      break;
    }
    if (filled.stream === main) {
      flight.onSent(main.pendingBytes);
      if (flight.isPingDue) yield* pingAmongPages(main, flight, filled.class, pings);
    }
    requests.begin(filled.wait, beforeNs);
    yield* filled.stream.flush(filled.class);
    push.countBatch(filled.class, beforeNs, filled.stream.nowNs);
  }
  yield* main.endRamPayload('background');
}

/**
 * The push is paused: waits a moment for a request. A destination takes silence for a broken link, so a PING tells it now
 * and then that we are there; returns when it was told last.
 */
function* stayPaused(
  main: OutgoingStream,
  flight: FlightWindow,
  pings: PingLog,
  aliveNs: number,
): Steps<number> {
  yield* main.perform({ do: 'await-request', forNs: PAUSE_LOOK_NS });
  if (main.nowNs - aliveNs < KEEP_ALIVE_NS) return aliveNs;
  yield* pingAmongPages(main, flight, 'control', pings);
  yield* main.flush('control');
  return main.nowNs;
}

/** A PING stands between two sections, be it within a host page (rule D78); it leaves with the batch. */
function* pingAmongPages(
  main: OutgoingStream,
  flight: FlightWindow,
  sendClass: SendClass,
  pings: PingLog,
): Steps {
  const value = flight.ping(main.nowNs);
  pings.sent(value, main.nowNs);
  yield* main.endRamPayload(sendClass);
  yield* main.write(encodeCommand('PING', { value }), sendClass);
  yield* main.beginRamPayload('SECTION_PART', sendClass);
}
