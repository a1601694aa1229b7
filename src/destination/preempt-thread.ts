// Thread of the preempt channel: places requested pages as they come, however busy the thread of the main channel is.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { toErrorRecord } from '../errors.ts';
import { RamImage } from '../machine/ram-block.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import { SocketOwner } from '../transport/socket-owner.ts';
import { takePrecedence } from '../transport/thread-priority.ts';
import { FaultBoard } from './fault-board.ts';
import { PagePlacer } from './page-placer.ts';
import { PreemptIntake } from './preempt-intake.ts';
import {
  type FromPreemptThread,
  MARK,
  PREEMPT_CHANNEL,
  type PreemptRam,
  type PreemptThreadData,
  type ToPreemptThread,
} from './preempt-messages.ts';
import { RamTally } from './ram-tally.ts';
import { rehearsePreempt } from './rehearsal.ts';

const data = workerData as PreemptThreadData;
const marks = new Float64Array(data.marks);
const board = new FaultBoard(data.board);
const port = parentPort!;

let tally: RamTally | undefined;
let intake: PreemptIntake | undefined;
let tellsNews = false;
let isOver = false;

function post(message: FromPreemptThread): void {
  port.postMessage(message);
}

function postNews(): void {
  if (intake !== undefined) post({ kind: 'news', news: intake.news });
}

/** Takes the RAM, if LISTEN has come; returns whether it has. */
function takeRam(): boolean {
  if (intake !== undefined) return true;
  const order = receiveMessageOnPort(data.ram) as { message: PreemptRam } | undefined;
  if (order === undefined) return false;
  const { profile, collapseNs } = data;
  tally = new RamTally(
    new RamImage(order.message.ram),
    { nowNs: monotonicNs, collapseNs },
    order.message.tally,
  );
  tally.isPostcopy = true;
  intake = new PreemptIntake(profile);
  intake.begin(tally, new PagePlacer(tally, { profile, board, nowNs: monotonicNs }));
  return true;
}

/** Performs one turn of the channel; what it throws ends the migration. */
function turn(action: (intake: PreemptIntake) => void): void {
  if (isOver) return;
  try {
    const { isAwaited } = intake!;
    action(intake!);
    tally!.publishCounts();
    // The end of the channel is told in any case: the thread of the main channel may wait for nothing else.
    if (tellsNews || intake!.isAwaited !== isAwaited || intake!.news.isClosed) postNews();
  } catch (error) {
    isOver = true;
    tally!.publishCounts();
    post({ kind: 'failed', error: toErrorRecord(error) });
  }
}

const owner = new SocketOwner(port, {
  data(channel, input, start, end) {
    if (channel !== PREEMPT_CHANNEL) return true;
    marks[MARK.BYTES]! += end - start;
    marks[MARK.LAST_NS] = monotonicNs();
    if (!takeRam()) return true; // too early, which the other thread says
    turn((taking) => taking.push(input, start, end, marks[MARK.LAST_NS]!));
    return false;
  },
  end(channel) {
    if (channel !== PREEMPT_CHANNEL || !takeRam()) return true;
    turn((taking) => taking.end());
    return false;
  },
});

port.on('message', (message: ToPreemptThread) => {
  if (message.kind === 'socket-request') {
    owner.take(message);
  } else if (message.kind === 'tell-news') {
    tellsNews = true;
    if (takeRam()) postNews();
  } else {
    isOver = true;
    intake?.dropPartial();
    tally?.publishCounts();
    post({ kind: 'stopped' });
  }
});

takePrecedence();
await rehearsePreempt(() => owner.channels.length > 0, data.isWatched);
