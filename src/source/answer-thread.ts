// Thread that answers requests on the preempt channel, however busy the thread of the main channel is.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { toErrorRecord } from '../errors.ts';
import { RamImage } from '../machine/ram-block.ts';
import { SocketOwner } from '../transport/socket-owner.ts';
import { takePrecedence } from '../transport/thread-priority.ts';
import {
  type AnswerableRam,
  type AnswerThreadData,
  type FromAnswerThread,
  MAIN_CHANNEL,
  PREEMPT_CHANNEL,
  type ToAnswerThread,
} from './answer-messages.ts';
import type { StreamPieces } from './record-batch.ts';
import { rehearseAnswers } from './rehearsal.ts';
import { RequestAnswers } from './request-answers.ts';

const data = workerData as AnswerThreadData;
const port = parentPort!;
/** What the kernel had no room for; until it is gone, nothing is answered here. */
let pending: Promise<void> | undefined;
let isOver = false;
let hasRam = false;

const answers = new RequestAnswers(data, { canWrite, write }, new Float64Array(data.counts));

function post(message: FromAnswerThread): void {
  port.postMessage(message);
}

function canWrite(): boolean {
  return !isOver && pending === undefined;
}

function write({ pieces }: StreamPieces): void {
  pending = owner.channels[PREEMPT_CHANNEL]!.writeAll(pieces)?.then(
    () => {
      pending = undefined;
    },
    (error: unknown) => {
      isOver = true;
      post({ kind: 'failed', error: toErrorRecord(error) });
    },
  );
}

function takeRam(): void {
  if (hasRam) return;
  const order = receiveMessageOnPort(data.ram) as { message: AnswerableRam } | undefined;
  if (order === undefined) return;
  hasRam = true;
  const { ram, placementPageBytes, claims } = order.message;
  answers.begin(new RamImage(ram), placementPageBytes, claims);
}

const owner = new SocketOwner(port, {
  data(channel, input, start, end) {
    if (channel === MAIN_CHANNEL) {
      takeRam();
      answers.push(input.subarray(start, end));
    }
    return true;
  },
  end: () => true,
});

async function stop(): Promise<void> {
  isOver = true;
  await pending;
  post({ kind: 'stopped' });
}

takePrecedence();
if (data.rehearses) rehearseAnswers();
port.on('message', (message: ToAnswerThread) => {
  if (message.kind === 'socket-request') owner.take(message);
  else void stop();
});
