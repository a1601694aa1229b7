// The thread that is woken while the cost of waking a thread is measured.
import { parentPort, workerData } from 'node:worker_threads';
import { monotonicNs } from '../monotonic-clock.ts';
import { BEGUN, NO_ROUND, STOP, type WakeCell, WOKEN } from './calibrate-cell.ts';

const { words, wokenNs } = workerData as WakeCell;
parentPort?.postMessage('running');

for (let round = 1; ; round++) {
  // Says "about to wait", and hands over the time of the round before.
  Atomics.store(words, BEGUN, round);
  Atomics.notify(words, BEGUN);
  Atomics.wait(words, WOKEN, NO_ROUND + round - 1);
  wokenNs[0] = monotonicNs();
  if (Atomics.load(words, WOKEN) === STOP) break;
}
