// Measures what the emulation's own machinery costs on this machine, so that each result can stand beside it.
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { monotonicNs } from '../monotonic-clock.ts';
import { BEGUN, createWakeCell, NO_ROUND, STOP, type WakeCell, WOKEN } from './calibrate-cell.ts';
import { nearestRank } from './percentile.ts';

/** Cost of the machinery of the emulation, on this machine, at the time of the run. */
export interface Calibration {
  /** One reading of the monotonic clock, in ns (median of batches). Each fault takes five. */
  readonly clockNs: number;
  /** From just before a thread stores and notifies until the other thread runs again, in ns; `null` if no round was measured. */
  readonly wakeNs: { readonly p50: number | null; readonly p99: number | null };
  /** How many wake-ups were measured: 200, fewer where the time ran out on a loaded machine. */
  readonly wakeRounds: number;
  /** Threads that this process may run at once. With fewer than vCPUs and channels together, a stall holds scheduling too. */
  readonly threadCount: number;
  /** Version of Node, such as `v20.20.2`. */
  readonly nodeVersion: string;
}

const CLOCK_BATCH_COUNT = 15;
const CLOCK_BATCH_READS = 500;
const WAKE_ROUNDS = 200;
const WAKE_BUDGET_NS = 60_000_000;
/** Long enough that the other thread has fallen asleep, as a vCPU has whose page is on its way. */
const FALL_ASLEEP_MS = 0.05;
/** How long one round may take before the machine counts as too loaded to measure. */
const ROUND_TIMEOUT_MS = 100;
/** Rounds between two turns of the event loop. */
const ROUNDS_PER_TURN = 20;

/** Median cost in ns of one reading of the clock. The first batches are before the compiler, the median is not. */
function measureClock(): number {
  const batches = new Float64Array(CLOCK_BATCH_COUNT);
  for (let batch = 0; batch < batches.length; batch++) {
    const beginNs = monotonicNs();
    for (let read = 1; read < CLOCK_BATCH_READS; read++) monotonicNs();
    batches[batch] = (monotonicNs() - beginNs) / CLOCK_BATCH_READS;
  }
  return nearestRank(batches.sort(), 500)!;
}

/** Waits until the other thread is about to wait in `round`. False if that takes too long. */
function awaitRound({ words }: WakeCell, round: number): boolean {
  const begun = Atomics.load(words, BEGUN);
  if (begun !== round) Atomics.wait(words, BEGUN, begun, ROUND_TIMEOUT_MS);
  return Atomics.load(words, BEGUN) === round;
}

async function measureWakeUps(cell: WakeCell): Promise<number[]> {
  const { words, wokenNs } = cell;
  const never = new Int32Array(new SharedArrayBuffer(4));
  const latenciesNs: number[] = [];
  const deadlineNs = monotonicNs() + WAKE_BUDGET_NS;
  for (let round = 1; round <= WAKE_ROUNDS && monotonicNs() < deadlineNs; round++) {
    if (!awaitRound(cell, round)) break;
    Atomics.wait(never, 0, 0, FALL_ASLEEP_MS);
    const beginNs = monotonicNs();
    Atomics.store(words, WOKEN, round);
    const wokenCount = Atomics.notify(words, WOKEN);
    if (!awaitRound(cell, round + 1)) break;
    // If it had not fallen asleep yet there was nobody to wake, and the time is that of a store.
    if (wokenCount === 1) latenciesNs.push(wokenNs[0]! - beginNs);
    if (round % ROUNDS_PER_TURN === 0) await nextTurn();
  }
  return latenciesNs;
}

/**
 * Measures the cost of the machinery. Takes about 100 ms: 60 ms of wake-ups, unless the machine is too loaded to
 * finish a round, and the start of one thread.
 * Blocks the calling thread for a few ms at a time.
 */
export async function calibrate(): Promise<Calibration> {
  const cell = createWakeCell();
  Atomics.store(cell.words, WOKEN, NO_ROUND);
  // The compiled name: URLs are not rewritten by the compiler.
  const thread = new Worker(new URL('./calibrate-thread.js', import.meta.url), { workerData: cell });
  const exited = once(thread, 'exit');
  try {
    // Its own word that it runs: `online` comes before its modules are loaded.
    await once(thread, 'message');
    const latenciesNs = Float64Array.from(await measureWakeUps(cell)).sort();
    return {
      clockNs: measureClock(),
      wakeNs: { p50: nearestRank(latenciesNs, 500), p99: nearestRank(latenciesNs, 990) },
      wakeRounds: latenciesNs.length,
      threadCount: availableParallelism(),
      nodeVersion: process.version,
    };
  } finally {
    Atomics.store(cell.words, WOKEN, STOP);
    Atomics.notify(cell.words, WOKEN);
    await exited;
  }
}
