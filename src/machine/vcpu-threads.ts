// Starts the threads of a guest's vCPUs.

import { Worker } from 'node:worker_threads';
import { type ErrorRecord, fromErrorRecord, GuestError } from '../errors.ts';
import type { GuestTrace } from './guest-programs.ts';
import type { SharedRamImage } from './ram-block.ts';
import type { SharedVcpuControl } from './vcpu-control.ts';

/** What a vCPU thread is given. A thread entry of another room may be given more, through `extra`. */
export interface VcpuThreadData {
  readonly index: number;
  readonly ram: SharedRamImage;
  readonly control: SharedVcpuControl;
  readonly trace?: GuestTrace | undefined;
}

/** How to start vCPU threads. */
export interface VcpuThreadOptions extends Omit<VcpuThreadData, 'index'> {
  /** Module that each thread runs; by default the one for RAM that is all present. */
  readonly entry?: URL;
  /** More worker data, for another entry. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** What a thread's entry posts when its vCPU fails: a thrown error would arrive without its class and code. */
export interface VcpuFailure {
  readonly kind: 'error';
  readonly error: ErrorRecord;
}

/** Running vCPU threads. */
export interface VcpuThreads {
  readonly workers: readonly Worker[];
  /** Resolves when all threads have ended, rejects with the first error that one of them posts or throws. */
  readonly ended: Promise<void>;
}

// Code runs from dist/, and the compiler does not rewrite the endings of URLs.
const DEFAULT_ENTRY = new URL('./vcpu-thread.js', import.meta.url);

/**
 * Starts one thread per vCPU of `control`; they park, and run from the states in their slots when told to.
 * `ended` may reject with GuestError `vcpu-thread-died`.
 */
export function startVcpuThreads(options: VcpuThreadOptions): VcpuThreads {
  const { entry = DEFAULT_ENTRY, extra, ...common } = options;
  const threads = Array.from({ length: options.control.vcpuCount }, (_, index) =>
    startThread(entry, `vcpu/${index}`, { ...extra, ...common, index }),
  );
  const ended = Promise.all(threads.map((thread) => thread.ended)).then(() => undefined);
  // Who does not look at it must not be killed by it: the control tells of a failed vCPU too.
  ended.catch(() => undefined);
  return { workers: threads.map(({ worker }) => worker), ended };
}

/** Starts one thread of that kind. `ended` rejects as that of `startVcpuThreads`. */
export function startThread(
  entry: URL,
  name: string,
  workerData: object,
): { worker: Worker; ended: Promise<void> } {
  // Loader hooks of this process, a test runner's say, would cost each thread about a second.
  const worker = new Worker(entry, { workerData, name, execArgv: ['--enable-source-maps'] });
  const ended = new Promise<void>((resolve, reject) => {
    worker.on('message', (message: VcpuFailure | { readonly kind: string }) => {
      if (message.kind === 'error' && 'error' in message) reject(fromErrorRecord(message.error));
    });
    worker.once('error', (cause) => {
      reject(new GuestError('vcpu-thread-died', `the thread ${name} died: ${cause}`, { cause }));
    });
    worker.once('exit', () => resolve());
  });
  ended.catch(() => undefined);
  return { worker, ended };
}
