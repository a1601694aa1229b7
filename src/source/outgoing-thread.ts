// Thread that drives an outgoing migration over its channel: performs the steps, watches the clock and the return path.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { GuestError, MigrationError, TransportError, toErrorRecord } from '../errors.ts';
import { RamImage } from '../machine/ram-block.ts';
import { VcpuControl } from '../machine/vcpu-control.ts';
import { encodeVcpuState } from '../machine/vcpu-state.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { RecordLines } from '../protocol/record-lines.ts';
import { ReturnPathDecoder } from '../protocol/return-path-decoder.ts';
import { EndpointRecording } from '../recording/endpoint-recording.ts';
import { summariseRoundTrips } from '../telemetry/round-trips.ts';
import { RUN_FIGURE, SharedFigures } from '../telemetry/shared-figures.ts';
import { WireRate } from '../telemetry/wire-rate.ts';
import type { Channel } from '../transport/channel.ts';
import { connectPatiently } from '../transport/connect-patiently.ts';
import { Link } from '../transport/link.ts';
import { connectChannel } from '../transport/open.ts';
import { giveWay } from '../transport/thread-priority.ts';
import type { ChannelUri } from '../transport/uri.ts';
import { Answering } from './answering.ts';
import { BandwidthLimit, batchBytesOf } from './bandwidth-limit.ts';
import type { DeviceSection } from './device-sections.ts';
import { OutgoingMigration } from './outgoing.ts';
import type { OutgoingReport, OutgoingThreadData, ToMain, ToOutgoingThread } from './outgoing-messages.ts';
import type { OutgoingStep, SendStep } from './outgoing-stream.ts';
import { isWorthRehearsing, rehearseOutgoing } from './rehearsal.ts';

const data = workerData as OutgoingThreadData;
const PROGRESS_MS = 100;
const ANSWER_COUNT_MS = 10;
/** vCPUs look at their command many times in a millisecond; one that does not stop in this time never will. */
const STOP_TIMEOUT_MS = 5000;
/** How long a reason may take to leave before the connection is dropped all the same. */
const FAREWELL_MS = 1000;
/** A peer that left may have said why just before: so long its last words are awaited when a write fails. */
const LAST_WORDS_MS = 300;

const ram = new RamImage(data.ram);
const control = new VcpuControl(data.control);
const migration = new OutgoingMigration(ram, {
  ...data.options,
  backgroundBatchBytes: batchBytesOf(data.maxPostcopyBandwidth),
});
/** For who watches; undefined where nobody may, and then none of it is kept. */
const figures = data.figures && new SharedFigures(data.figures);
const recordLines = figures === undefined ? undefined : new RecordLines();
const returnPath = new ReturnPathDecoder(
  (record, offset, lengthBytes) => {
    recordLines?.addReturn(record, offset, lengthBytes);
    migration.onReturnPath(record, monotonicNs());
  },
  { profile: data.profile },
);
returnPath.extension = data.options.negotiate;

/** Ends the attempts to connect when something has failed meanwhile. */
const connecting = new AbortController();
/** Emulated for all channels together. */
const link = data.link === undefined ? undefined : new Link(data.link);
/** Answers requests in a thread of its own, where that can be. */
let answering: Answering | undefined;
let channel: Channel | undefined;
let preemptChannel: Channel | undefined;
let recording: EndpointRecording | undefined;
let failure: unknown;
let wake: (() => void) | undefined;
/** Whether the bytes of the last step are on their way. */
let isStepSent = true;
let guestStoppedNs: number | null = null;
let rate = new WireRate(monotonicNs());

function post(message: ToMain): void {
  parentPort!.postMessage(message);
}

/** Keeps the first failure: what follows is its echo. */
function fail(error: unknown): void {
  failure ??= error;
  connecting.abort(failure);
  wake?.();
}

/** Waits until `isDone`, a failure, or the time-out. */
async function waitFor(isDone: () => boolean, what: string, timeoutMs: number): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!isDone() && failure === undefined) {
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) {
      throw new TransportError('peer-silent', `expected ${what} within ${timeoutMs} ms, found nothing`, {
        stream: 'return path',
        state: migration.state,
      });
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, leftMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    wake = undefined;
  }
  if (failure !== undefined) throw failure;
}

function wrap(connected: Channel): Channel {
  const linked = link === undefined ? connected : link.wrap(connected);
  return recording === undefined ? linked : recording.wrap(linked);
}

/** It needs descriptors, and nobody who sees the bytes pass. */
function startAnswering(): Answering | undefined {
  const isPlain = link === undefined && data.recordPath === undefined && data.uri.scheme !== 'ws';
  if (data.options.preempt === 'none' || !isPlain) return undefined;
  const rehearses = isWorthRehearsing(ram.totalBytes);
  const { profile, options } = data;
  return new Answering({ profile, negotiates: options.negotiate, rehearses, onError: failAfterLastWords });
}

/** One attempt to connect. */
function connect(uri: ChannelUri, timeoutMs: number, signal: AbortSignal): Promise<Channel> {
  return answering === undefined
    ? connectChannel(uri, timeoutMs, signal)
    : answering.sockets.connect(uri, timeoutMs, 'owner', signal);
}

/** The destination may come up only after us. */
async function openMain(): Promise<Channel> {
  const connected = await connectPatiently(
    data.uri,
    {
      attemptMs: data.timeoutMs,
      patienceMs: data.connectTimeoutMs,
      signal: connecting.signal,
      onWait: ({ message }) =>
        post({ kind: 'warn', message: `${message}; trying for ${data.connectTimeoutMs} ms` }),
    },
    connect,
  );
  return wrap(connected);
}

function listenToReturnPath(to: Channel): void {
  to.read({
    data(input, start, end) {
      if (failure !== undefined) return;
      try {
        returnPath.push(input.subarray(start, end));
      } catch (error) {
        fail(error);
      }
      wake?.();
    },
    end() {
      try {
        returnPath.end();
      } catch (error) {
        fail(error);
      }
      const error = migration.onReturnPathEnd();
      if (error !== undefined) fail(error);
    },
    error: fail,
  });
}

/** Nothing is read from a preempt channel; that it broke is told by the main channel too, but for a write that waits. */
async function openPreempt(): Promise<void> {
  preemptChannel = wrap(await connect(data.uri, data.timeoutMs, connecting.signal));
  preemptChannel.read({ data: () => undefined, end: () => undefined, error: fail });
}

async function failAfterLastWords(error: unknown): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS));
  fail(error);
}

/** Writes, bounded in time: a peer that stops reading must not hold us for ever. */
async function write({ channel: name, pieces }: SendStep): Promise<void> {
  isStepSent = true;
  const pending = (name === 'main' ? channel! : preemptChannel!).writeAll(pieces);
  let isWritten = pending === undefined;
  pending?.then(() => {
    isWritten = true;
    wake?.();
  }, failAfterLastWords);
  await nextTurn(); // requests are read in between
  if (!isWritten || failure !== undefined)
    await waitFor(() => isWritten, 'the destination to read', data.timeoutMs);
}

function stopGuest(): void {
  control.stop();
  if (!control.waitAllParked(STOP_TIMEOUT_MS)) {
    throw new GuestError('vcpu-does-not-stop', `a vCPU did not stop within ${STOP_TIMEOUT_MS} ms`);
  }
  migration.devices = data.devices.kind === 'recorded' ? data.devices.sections : ownDevices(data.devices);
  // Without a vCPU of ours the guest stands still from now on.
  const parked = Array.from({ length: control.vcpuCount }, (_, index) => control.parkedAtNs(index));
  guestStoppedNs = parked.length === 0 ? monotonicNs() : Math.max(...parked);
}

/** The guest's description and the states of its vCPUs, which are parked. */
function ownDevices({ description }: { description: Uint8Array }): DeviceSection[] {
  const vcpus = Array.from({ length: control.vcpuCount }, (_, index) => {
    return {
      idstr: 'postcopy/vcpu',
      instanceId: index,
      versionId: 1,
      payload: encodeVcpuState(control.readState(index)),
    };
  });
  return [{ idstr: 'postcopy/guest', instanceId: 0, versionId: 1, payload: description }, ...vcpus];
}

async function perform(
  step: OutgoingStep,
  limits: { precopy: BandwidthLimit; background: BandwidthLimit },
): Promise<void> {
  if (step.do === 'stop-guest') {
    stopGuest();
  } else if (step.do === 'open-preempt') {
    await openPreempt();
  } else if (step.do === 'begin-answers') {
    giveWay();
    answering!.begin({ ram: data.ram, ...step });
  } else if (step.do === 'end-answers') {
    await endAnswers(answering!);
    rate.add(bytesAnswered(), monotonicNs());
  } else if (step.do === 'await-return-path') {
    await waitFor(step.isHere, step.what, data.timeoutMs);
  } else if (step.do === 'await-request') {
    await pauseUnlessRequested(step.forNs / 1e6);
  } else {
    isStepSent = false;
    const limit =
      step.class === 'precopy' ? limits.precopy : step.class === 'background' ? limits.background : undefined;
    const pauseMs = limit?.pauseMs(step.lengthBytes, performance.now()) ?? 0;
    if (pauseMs > 0) await pauseForLimit(pauseMs);
    await write(step);
    rate.add(step.lengthBytes + bytesAnswered(), monotonicNs());
  }
}

/** What it has claimed is to be written before this end says that all was; bounded in time as a write is. */
async function endAnswers(by: Answering): Promise<void> {
  let isOver = false;
  void by.stop().then(() => {
    isOver = true;
    wake?.();
  });
  await waitFor(() => isOver, 'the destination to read', data.timeoutMs);
}

let countedAnswered = 0;

/** Bytes that were sent by the thread that answers since this was asked. */
function bytesAnswered(): number {
  if (answering === undefined) return 0;
  const bytes = answering.bytes - countedAnswered;
  countedAnswered += bytes;
  return bytes;
}

/** The pause is no part of what was to be done meanwhile: a request that comes waits for the limit. */
async function pauseForLimit(pauseMs: number): Promise<void> {
  migration.requests.beginPause(monotonicNs());
  await pauseUnlessRequested(pauseMs);
  migration.requests.endPause(monotonicNs());
}

/** Sends nothing for a while; a request ends the pause, because it is urgent. */
async function pauseUnlessRequested(pauseMs: number): Promise<void> {
  const before = migration.requestCount;
  const deadlineMs = performance.now() + pauseMs;
  await waitFor(
    () => migration.requestCount > before || performance.now() >= deadlineMs - 0.5,
    '',
    pauseMs + 1,
  ).catch((error: unknown) => {
    if (failure !== undefined) throw error; // else the pause is over
  });
}

async function migrate(): Promise<void> {
  answering = startAnswering();
  migration.answered = answering;
  rehearseOutgoing(ram.totalBytes);
  if (data.recordPath !== undefined) recording = new EndpointRecording(data.recordPath, 'source');
  channel = await openMain();
  if (failure !== undefined) throw failure;
  listenToReturnPath(channel);
  rate = new WireRate(monotonicNs());
  const limits = {
    precopy: new BandwidthLimit(data.maxBandwidth),
    background: new BandwidthLimit(data.maxPostcopyBandwidth),
  };
  const steps = migration.run();
  for (let step = steps.next(monotonicNs()); step.done !== true; step = steps.next(monotonicNs())) {
    if (failure !== undefined) throw failure;
    if (currentPhase() !== shownPhase) postProgress();
    await perform(step.value, limits);
    if (figures !== undefined) showFigures(figures);
  }
}

/** The phase that the last progress told: a change is told at once, all else now and then. */
let shownPhase: string | undefined;

function currentPhase(): string {
  return [...migration.phaseStartsNs.keys()].at(-1) ?? 'connect';
}

function showFigures(to: SharedFigures): void {
  const { counters } = migration;
  to.set(RUN_FIGURE.WIRE_BYTES, counters.wireBytes);
  to.set(RUN_FIGURE.PRECOPY_PAGES, counters.precopyPages);
  to.set(RUN_FIGURE.BACKGROUND_PAGES, counters.backgroundPages);
  to.set(RUN_FIGURE.REQUESTED_PAGES, counters.requestedPages);
  to.set(RUN_FIGURE.ZERO_PAGES, counters.zeroPages);
  to.set(RUN_FIGURE.DISCARDED_PAGES, counters.discardedPages);
  to.set(RUN_FIGURE.REQUESTS, migration.requestCount);
}

/** Passes that were told to who watches. */
let toldPasses = 0;

/** With the progress, so no oftener than that: a change of state is told at once, all else now and then. */
function postNews(): void {
  const { state, placements, isNegotiated } = migration;
  const passes = migration.passes.slice(toldPasses);
  toldPasses += passes.length;
  const { lines, skipped } = recordLines?.take() ?? { lines: [], skipped: 0 };
  post({ kind: 'news', news: { state, placements, isNegotiated, passes, lines, skipped } });
}

function postProgress(): void {
  if (figures !== undefined) postNews();
  shownPhase = currentPhase();

  const doneBytes = ram.totalBytes - migration.remainingPages * TARGET_PAGE_BYTES;
  post({
    kind: 'progress',
    phase: shownPhase,
    doneBytes,
    totalBytes: ram.totalBytes,
    wireBytes: migration.counters.wireBytes,
  });
}

async function leave(error: unknown): Promise<void> {
  const reason = error instanceof Error ? error.message : String(error);
  const farewell = channel === undefined ? undefined : migration.farewell(reason, isStepSent);
  if (farewell !== undefined) {
    const late = new Promise((resolve) => setTimeout(resolve, FAREWELL_MS));
    await Promise.race([channel!.write(farewell).then(() => channel!.end()), late]).catch(() => undefined);
  }
  preemptChannel?.destroy();
  channel?.destroy();
}

function report(error: unknown): OutgoingReport {
  return {
    state: migration.state,
    hasGivenGuestAway: migration.hasGivenGuestAway,
    isNegotiated: migration.isNegotiated,
    placements: migration.placements,
    counters: migration.counters,
    passes: migration.passes,
    push: migration.pushCounts,
    requests: migration.requests.data,
    pings: migration.pings.shortest,
    phaseStartsNs: [...migration.phaseStartsNs],
    endNs: monotonicNs(),
    guestStoppedNs,
    bytesPerSecond: rate.meanBytesPerSecond,
    peakBytesPerSecond: rate.peakBytesPerSecond,
    link: link?.figures(),
    roundTrips: summariseRoundTrips(migration.roundTripsNs),
    ...(error === undefined ? {} : { error: toErrorRecord(error) }),
  };
}

parentPort!.on('message', (message: ToOutgoingThread) => {
  switch (message.kind) {
    case 'cancel':
      cancel(message.force);
      return;
    case 'switch':
      migration.switchNow();
      return;
    case 'pause-push':
      migration.pausePush(message.isPaused);
      figures?.set(RUN_FIGURE.PUSH_PAUSED, message.isPaused ? 1 : 0);
      return;
    case 'link':
      link?.reshape(message.link);
      return;
  }
});

function cancel(force: boolean): void {
  if (migration.hasGivenGuestAway && !force) {
    post({
      kind: 'warn',
      message: 'postcopy has begun: cancelling now would lose the guest; interrupt again to do it',
    });
    return;
  }
  fail(new MigrationError('cancelled', 'the migration was cancelled'));
}

const progress = setInterval(postProgress, PROGRESS_MS);
// Also while nothing else is sent: bytes that are counted in a heap would pass for a fast link.
const answerCount = setInterval(() => rate.add(bytesAnswered(), monotonicNs()), ANSWER_COUNT_MS);

let ending: unknown;
try {
  await migrate();
  // A destination that has said SHUT has nothing more to say: one that stays connected must not hold us.
  await Promise.race([channel!.end(), new Promise((resolve) => setTimeout(resolve, FAREWELL_MS).unref())]);
  preemptChannel?.destroy();
  channel!.destroy();
} catch (error) {
  ending = error;
  const isCancelled = error instanceof MigrationError && error.code === 'cancelled';
  if (migration.state !== 'failed' && migration.state !== 'completed') {
    migration.advance(isCancelled && !migration.hasGivenGuestAway ? 'cancel' : 'error');
  }
  await leave(error);
}
clearInterval(progress);
clearInterval(answerCount);
if (figures !== undefined) {
  showFigures(figures);
  postNews();
}
const ended = report(ending);
const broken = recording?.finish({
  status: ended.state,
  ...(ended.error === undefined ? {} : { error: ended.error }),
});
if (broken !== undefined) post({ kind: 'warn', message: `the recording is incomplete: ${broken.message}` });
post({ kind: 'done', report: ended });
await answering?.end();
parentPort!.close();
