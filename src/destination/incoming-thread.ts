// Thread that drives an incoming migration: owns the channels, decodes, places, and answers.
import { parentPort, workerData } from 'node:worker_threads';
import { fromErrorRecord, MigrationError, TransportError, toErrorRecord } from '../errors.ts';
import { type RamBlockSpec, RamImage } from '../machine/ram-block.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import { RecordLines } from '../protocol/record-lines.ts';
import { encodeReturnPath } from '../protocol/return-path-messages.ts';
import { EndpointRecording } from '../recording/endpoint-recording.ts';
import { LEAST_INTERVAL_NS, PagesOverTimeSeries } from '../telemetry/pages-over-time.ts';
import { RUN_FIGURE, SharedFigures } from '../telemetry/shared-figures.ts';
import { WireRate } from '../telemetry/wire-rate.ts';
import type { Channel, Listener } from '../transport/channel.ts';
import { listenForChannels } from '../transport/open.ts';
import type { ReadBy } from '../transport/owned-sockets.ts';
import { openReplay, type ReplayChannel } from '../transport/replay-channel.ts';
import { giveWay } from '../transport/thread-priority.ts';
import type { ChannelUri } from '../transport/uri.ts';
import { FaultBoard } from './fault-board.ts';
import { HostPages } from './host-pages.ts';
import { IncomingMigration } from './incoming.ts';
import type { IncomingReport, IncomingThreadData, ToIncomingThread, ToMain } from './incoming-messages.ts';
import { type PostcopyState, PostcopyStateCell } from './incoming-states.ts';
import { PongLog } from './pong-log.ts';
import { PREEMPT_CHANNEL } from './preempt-messages.ts';
import { PreemptTaker } from './preempt-taker.ts';
import { rehearseIncoming } from './rehearsal.ts';
import { ReturnPathPort } from './return-path-port.ts';

const { options, ...shared } = workerData as IncomingThreadData;
const PROGRESS_MS = 100;
const ELSEWHERE_COUNT_MS = 10;
/** How often the silence of the source is looked at, as a share of the time-out. */
const SILENCE_CHECKS = 8;
/** After an error we read on for so long: a connection that is dropped with unread bytes loses what we sent last. */
const LINGER_MS = 2000;

const cell = new PostcopyStateCell(shared.cell);
const hostPages = new HostPages({
  defaultBytes: options.hostPageBytes,
  byName: options.hostPageByName,
  placementBytes: options.placementBytes,
  layout: options.layout,
});

/** Made before a source connects, so that committing it delays nobody. */
let preallocated: RamImage | undefined;
let ram: RamImage | undefined;
/** Takes the preempt channel in a thread of its own, where that can be. */
let taker: PreemptTaker | undefined;
let channel: Channel | undefined;
let preemptChannel: Channel | undefined;
let listener: Listener | undefined;
let recording: EndpointRecording | undefined;
let rate = new WireRate(monotonicNs());
const pagesOverTime = new PagesOverTimeSeries();
let connectedNs = monotonicNs();
let listenNs: number | null = null;
let lastBytesMs = performance.now();
let hasLeft = false;
/** The state that the last progress told: a change is told at once, all else now and then. */
let shownState: PostcopyState | undefined;
let resolveSettled!: (error: unknown) => void;
/** Resolves with undefined when the migration is complete, else with what ended it. */
const settled = new Promise<unknown>((resolve) => {
  resolveSettled = resolve;
});
let firstError: unknown;

/** Ends the migration; the first call counts, what follows is its echo. */
function settle(error: unknown): void {
  firstError ??= error;
  resolveSettled(error);
}

let closed!: () => void;
/** Resolves when the source has closed the main channel, or it broke. */
const sourceClosed = new Promise<void>((resolve) => {
  closed = resolve;
});

function post(message: ToMain): void {
  parentPort!.postMessage(message);
}

/** For who watches; undefined where nobody may, and then none of it is kept. */
const figures = shared.figures && new SharedFigures(shared.figures);
const isWatched = options.isWatched === true;
const recordLines = isWatched ? new RecordLines() : undefined;

const port = new ReturnPathPort(shared.port, (bytes) => {
  channel?.write(bytes).catch(settle);
});

const pongs = new PongLog();

const migration = new IncomingMigration(
  { ...options, hostPages },
  {
    reply(name, values) {
      const bytes = encodeReturnPath(name, values as never);
      if (name === 'PONG') pongs.answered((values as { value: number }).value, monotonicNs());
      if (name === 'SHUT') port.sendLast(bytes);
      else port.send(bytes);
    },
    createRam(blocks) {
      // A stream may name only some of the blocks of the layout.
      ram = preallocated?.blocks.length === blocks.length ? preallocated : allocateRam(blocks);
      post({ kind: 'ram', ram: ram.shared, isNegotiated: migration.isNegotiated });
      return ram;
    },
    load: (items) => post({ kind: 'load', items }),
    placeElsewhere(tally) {
      if (taker === undefined) return false;
      giveWay();
      taker.place(ram!.shared, tally.share());
      return true;
    },
    warn: (message) => post({ kind: 'warn', message }),
    nowNs: monotonicNs,
    ...(recordLines === undefined
      ? {}
      : { record: (record, offset, lengthBytes) => recordLines.addForward(record, offset, lengthBytes) }),
  },
  { cell, board: new FaultBoard(shared.board) },
);

function allocateRam(blocks: readonly RamBlockSpec[]): RamImage {
  const allocated = RamImage.allocate(blocks, 'missing');
  const ram = isWatched ? allocated.withOrigins() : allocated;
  if (options.preallocates) for (const block of ram.blocks) block.commit();
  return ram;
}

/** Runs one turn of the migration; what it throws ends it. */
function take(action: () => void): void {
  if (hasLeft) return;
  try {
    action();
    if (listenNs === null && migration.tally?.isPostcopy === true) {
      listenNs = monotonicNs();
      readPreempt();
    }
    if (figures !== undefined) showFigures(figures);
    if (cell.state !== shownState) postProgress();
    if (migration.awaitsPreempt) taker?.tellNews();
    if (migration.isComplete) settle(undefined);
  } catch (error) {
    settle(error);
    hasLeft = true;
  }
}

function readMain(from: Channel): void {
  from.read({
    data(input, start, end) {
      lastBytesMs = performance.now();
      rate.add(end - start + bytesElsewhere(), monotonicNs());
      take(() => migration.push(input, start, end));
    },
    end() {
      closed();
      take(() => migration.end());
    },
    error(error) {
      closed();
      settle(error);
    },
  });
}

let countedElsewhere = 0;

/** Bytes that the other thread has taken since this was asked. */
function bytesElsewhere(): number {
  if (taker === undefined) return 0;
  const bytes = taker.wireBytes - countedElsewhere;
  countedElsewhere += bytes;
  return bytes;
}

/**
 * From LISTEN on, as QEMU does: two channels have no order between them, so what is there before may have been sent after
 * a LISTEN that is still to be read. By then the thread that takes it knows where to place.
 */
function readPreempt(): void {
  if (listenNs === null) return;
  preemptChannel?.read({
    data(input, start, end) {
      lastBytesMs = performance.now();
      rate.add(end - start, monotonicNs());
      take(() => migration.pushPreempt(input, start, end));
    },
    end: () => take(() => migration.endPreempt()),
    error: settle,
  });
}

async function open(): Promise<ReplayChannel | undefined> {
  if (options.origin.kind === 'replay') {
    const replay = openReplay(options.origin.mainPath);
    channel = replay;
    if (options.origin.preemptPath !== undefined) {
      preemptChannel = openReplay(options.origin.preemptPath, () => migration.tally?.isPostcopy === true);
    }
    return replay;
  }
  if (options.recordPath !== undefined) recording = new EndpointRecording(options.recordPath, 'destination');
  const { layout } = hostPages;
  if (options.preallocates && layout !== undefined) preallocated = allocateRam(layout);
  if (canTakeElsewhere(options.origin.uri)) {
    taker = new PreemptTaker({
      profile: options.profile,
      board: shared.board,
      collapseNs: options.collapseNs,
      isWatched,
      onNews: (news) => take(() => migration.onPreemptNews(news)),
      onError(error) {
        take(() => {
          throw error;
        });
      },
    });
  }
  listener = await (taker === undefined
    ? listenForChannels(options.origin.uri)
    : taker.sockets.listen(options.origin.uri, readerOf));
  post({ kind: 'listening', uri: listener.uri });
  const accepted = listener.accept();
  let isConnected = false;
  accepted.then(
    () => {
      isConnected = true;
    },
    () => undefined, // told below
  );
  await rehearseIncoming(() => isConnected, isWatched);
  channel = recorded(await accepted);
  // The first connection is the main one; 7.2 loads nothing before both are there (rule D101).
  if (options.preempt && options.profile !== '10.x') preemptChannel = recorded(await acceptSoon(listener));
  if (!awaitsLatePreempt()) listener.close();
  return undefined;
}

/**
 * Whether a thread of its own takes the preempt channel. It needs descriptors, and nobody who sees the bytes pass; and
 * host pages in pieces are collapsed by one thread alone.
 */
function canTakeElsewhere(uri: ChannelUri): boolean {
  const isBroken = options.placementBytes !== undefined;
  return options.preempt && uri.scheme !== 'ws' && options.recordPath === undefined && !isBroken;
}

/** The preempt channel is read where its pages are placed, and the main channel here, in larger pieces. */
function readerOf(channel: number): ReadBy {
  return channel === PREEMPT_CHANNEL ? 'owner' : 'this-thread';
}

/** Newer sources open the preempt channel when postcopy is about to begin (rule D104): late, or never. */
function awaitsLatePreempt(): boolean {
  return options.preempt && options.profile === '10.x' && options.origin.kind === 'listen';
}

async function acceptLatePreempt(from: Listener): Promise<void> {
  preemptChannel = recorded(await from.accept());
  from.close();
  readPreempt();
}

function recorded(accepted: Channel): Channel {
  return recording === undefined ? accepted : recording.wrap(accepted);
}

async function acceptSoon(from: Listener): Promise<Channel> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const message = `expected the connection of the preempt channel within ${options.timeoutMs} ms, found none`;
      reject(new TransportError('peer-silent', message, { rule: 'D101' }));
    }, options.timeoutMs);
  });
  return await Promise.race([from.accept(), late]).finally(() => clearTimeout(timer));
}

function watchSilence(): NodeJS.Timeout {
  return setInterval(() => {
    const elsewhereMs =
      taker === undefined ? Number.POSITIVE_INFINITY : (monotonicNs() - taker.lastBytesNs) / 1e6;
    const silentMs = Math.min(performance.now() - lastBytesMs, elsewhereMs);
    if (!migration.awaitsSource || silentMs < options.timeoutMs) return;
    settle(
      new TransportError(
        'peer-silent',
        `expected more of the stream within ${options.timeoutMs} ms, found nothing`,
        {
          stream: 'main',
          offset: migration.position,
          state: cell.state,
        },
      ),
    );
  }, options.timeoutMs / SILENCE_CHECKS);
}

/** The phase in the words of the source: `device` until the guest runs here. */
function phaseName(): string {
  if (channel === undefined) return 'wait for a source';
  if (migration.tally === undefined) return 'setup';
  if (!migration.tally.isPostcopy) return 'precopy';
  return cell.state === 'listening' ? 'device' : 'postcopy-active';
}

function showFigures(to: SharedFigures): void {
  to.set(RUN_FIGURE.WIRE_BYTES, rate.totalBytes);
  const { tally } = migration;
  if (tally === undefined) return;
  const { pages } = tally;
  to.set(RUN_FIGURE.PRECOPY_PAGES, tally.precopyPages);
  to.set(RUN_FIGURE.BACKGROUND_PAGES, pages.backgroundPages);
  to.set(RUN_FIGURE.REQUESTED_PAGES, pages.requestedPages);
  to.set(RUN_FIGURE.ZERO_PAGES, pages.zeroPages);
  to.set(RUN_FIGURE.DISCARDED_PAGES, tally.discardedPages);
  to.set(RUN_FIGURE.DUPLICATE_PAGES, pages.duplicatePages);
}

function postProgress(): void {
  const news = recordLines?.take();
  if (news !== undefined) post({ kind: 'records', ...news });
  figures?.set(RUN_FIGURE.PEAK_BYTES_PER_SECOND, rate.peakBytesPerSecond ?? 0);
  shownState = cell.state;
  const blocks = migration.tally?.blocks ?? [];
  const sum = (of: (block: (typeof blocks)[number]) => number) =>
    blocks.reduce((total, block) => total + of(block), 0);
  post({
    kind: 'progress',
    phase: phaseName(),
    doneBytes: sum((block) => (block.ram.hostPageCount - block.missingCount) * block.ram.hostPageBytes),
    totalBytes: sum((block) => block.ram.lengthBytes),
    wireBytes: rate.totalBytes,
  });
}

/** Notes how many pages are present; the last point is of the end, due or not. */
function samplePages(isLast = false): void {
  const { tally } = migration;
  const elapsedNs = monotonicNs() - connectedNs;
  if (tally === undefined || !(isLast || pagesOverTime.isDue(elapsedNs))) return;
  pagesOverTime.add(elapsedNs, tally.presentPages);
}

/** Says why to a source that can read it, then reads on until it has closed. */
async function leave(error: unknown): Promise<void> {
  hasLeft = true;
  if (channel === undefined) return;
  if (migration.isNegotiated) {
    const text = error instanceof Error ? error.message : String(error);
    try {
      port.send(encodeReturnPath('REASON', { text }));
    } catch {
      // Then the source will find out by itself.
    }
    port.close();
    const left = channel.end().then(() => sourceClosed);
    await Promise.race([left, new Promise((resolve) => setTimeout(resolve, LINGER_MS))]);
  }
  port.close();
  preemptChannel?.destroy();
  channel.destroy();
}

async function migrate(): Promise<ReplayChannel | undefined> {
  const replay = await open();
  connectedNs = monotonicNs();
  rate = new WireRate(connectedNs);
  lastBytesMs = performance.now();
  if (replay === undefined) port.open(channel!.fileDescriptor);
  post({ kind: 'connected', peer: channel!.peer });
  const silence = replay === undefined ? watchSilence() : undefined;
  readMain(channel!);
  // One that never comes is no error: nothing was asked for then.
  if (awaitsLatePreempt()) acceptLatePreempt(listener!).catch(() => undefined);
  const error = await settled;
  clearInterval(sampling);
  samplePages(true);
  listener?.close();
  clearInterval(silence);
  if (error !== undefined) throw error;
  port.close();
  await taker?.stop();
  await Promise.race([channel!.end(), new Promise((resolve) => setTimeout(resolve, LINGER_MS).unref())]);
  preemptChannel?.destroy();
  channel!.destroy();
  return replay;
}

/** Completes the recording, and tells how the migration ended. */
function finish(report: IncomingReport): void {
  const broken = recording?.finish({
    status: report.status,
    ...(report.error === undefined ? {} : { error: report.error }),
  });
  if (broken !== undefined) post({ kind: 'warn', message: `the recording is incomplete: ${broken.message}` });
  post({ kind: 'done', report });
}

function report(
  status: IncomingReport['status'],
  replies: Uint8Array | undefined,
  error: unknown,
): IncomingReport {
  const tally = migration.tally;
  const pages = tally?.pages;
  rate.add(bytesElsewhere(), monotonicNs());
  return {
    status,
    isNegotiated: migration.isNegotiated,
    pages: {
      precopy: tally?.precopyPages ?? 0,
      background: pages?.backgroundPages ?? 0,
      requested: pages?.requestedPages ?? 0,
      zero: pages?.zeroPages ?? 0,
      duplicate: pages?.duplicatePages ?? 0,
      discarded: tally?.discardedPages ?? 0,
    },
    pushed: tally?.blocks.map((block) => block.pushed.buffer) ?? [],
    ...(tally?.collapses === undefined ? {} : { collapses: tally.collapses }),
    pongs: pongs.records,
    ...(tally === undefined ? {} : { pagesOverTime: pagesOverTime.columns(tally.totalPages) }),
    wireBytes: rate.totalBytes,
    connectedNs,
    listenNs,
    endNs: monotonicNs(),
    bytesPerSecond: rate.meanBytesPerSecond,
    peakBytesPerSecond: rate.peakBytesPerSecond,
    ...(replies === undefined ? {} : { replies }),
    ...(error === undefined ? {} : { error: toErrorRecord(error) }),
  };
}

/** Passes on what a vCPU could not write itself. After SHUT the source reads nothing, and nobody waits for a page. */
function takeReply(bytes: Uint8Array): void {
  if (!migration.isComplete) channel?.write(bytes).catch(settle);
}

parentPort!.on('message', (message: ToIncomingThread) => {
  if (message.kind === 'guest-running') take(() => migration.onGuestRunning());
  else if (message.kind === 'reply') takeReply(message.bytes);
  else {
    settle(fromErrorRecord(message.error));
    listener?.close();
  }
});

const progress = setInterval(postProgress, PROGRESS_MS);
// Also while nothing comes on the main channel: bytes that are counted in a heap would pass for a fast link.
const elsewhereCount = setInterval(() => rate.add(bytesElsewhere(), monotonicNs()), ELSEWHERE_COUNT_MS);
const sampling = setInterval(samplePages, LEAST_INTERVAL_NS / 1e6);
try {
  const replay = await migrate();
  finish(report('completed', replay?.replies(), undefined));
} catch (thrown) {
  const error = firstError ?? thrown;
  listener?.close();
  await taker?.stop();
  // All has come and the guest runs here: that the source could not be told does not undo it.
  const state = migration.isComplete ? 'completed' : migration.fail();
  // A stray ADVISE or LISTEN ends a running QEMU 7.2 instead of pausing it (rule D58).
  const isFatal =
    options.profile === '7.2' && error instanceof MigrationError && /^D(28|46)$/.test(error.rule ?? '');
  await leave(error);
  const replies = (channel as ReplayChannel | undefined)?.replies?.();
  const status = state === 'paused' ? (isFatal ? 'failed' : 'postcopy-paused') : state;
  finish(report(status, replies, error));
}
clearInterval(progress);
clearInterval(elsewhereCount);
clearInterval(sampling);
await taker?.end();
parentPort!.close();
