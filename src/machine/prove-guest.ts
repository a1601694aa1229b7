// Proves a guest's RAM against the same guest that was never migrated, in a process of its own: it needs its RAM again.
import { fork } from 'node:child_process';
import { type ErrorRecord, fromErrorRecord, GuestError } from '../errors.ts';
import type { GuestDescription } from './guest-description.ts';
import { initialVcpuStates } from './initial-vcpu-states.ts';
import { TARGET_PAGE_BYTES } from './ram-memory.ts';
import type { ReferenceGuest } from './reference.ts';
import type { VcpuState } from './vcpu-state.ts';

/** What the process that runs the guest again is asked. */
export interface ReferenceQuestion extends ReferenceGuest {
  /** From which access of each vCPU on to note what it touches; nothing is noted without. */
  readonly touchesFrom?: readonly number[];
}

/** What it answers. */
export type ReferenceAnswer =
  | { readonly ramSha256: Record<string, string>; readonly touched?: Uint32Array }
  | { readonly error: ErrorRecord };

/** A guest that has stopped. */
export interface StoppedGuest {
  readonly description: GuestDescription;
  /** The states of all vCPUs, in order. */
  readonly vcpus: readonly VcpuState[];
  /** SHA-256 of each block, by name. */
  readonly ramSha256: Readonly<Record<string, string>>;
  /** Where the file is that its RAM was filled from, if it was. */
  readonly ramImagePath?: string | undefined;
  /** Accesses of each vCPU from which on the proof is to tell what they touched. */
  readonly touchesFrom?: readonly number[];
}

/** The verdict, and in words how it was reached. */
export interface GuestProof {
  readonly isProved: boolean;
  readonly verdict: string;
  /** A bit for each target page, of all blocks in a row, that was touched; only of a guest that was proved, if asked for. */
  readonly touched?: Uint32Array | undefined;
}

const REFERENCE_PROCESS = new URL('./reference-process.js', import.meta.url);

/** The states from which these vCPUs began; zipf's constants are taken over, so that both runs use the same doubles. */
function initialStates({ description, vcpus }: StoppedGuest): VcpuState[] {
  const first = vcpus[0]!;
  const totalPages = description.blocks.reduce(
    (sum, block) => sum + block.lengthBytes / TARGET_PAGE_BYTES,
    0,
  );
  return initialVcpuStates({
    vcpus: vcpus.length,
    program: first.program,
    seed: first.seed,
    writePercent: first.writePercent,
    ratePerSecond: first.ratePerSecond,
    totalPages,
    ...(description.trace === undefined ? {} : { trace: description.trace }),
  }).map((state) => ({ ...state, constants: first.constants }));
}

/** What a run of the reference gives. */
type ReferenceOutcome = Exclude<ReferenceAnswer, { error: ErrorRecord }>;

/** Runs the reference to the same counts and returns its hashes. @throws GuestError and as `referenceRun` */
export function runReference(guest: ReferenceQuestion, signal?: AbortSignal): Promise<ReferenceOutcome> {
  return new Promise((resolve, reject) => {
    const child = fork(REFERENCE_PROCESS, {
      serialization: 'advanced',
      ...(signal === undefined ? {} : { signal }),
    });
    child.once('message', (answer: ReferenceAnswer) => {
      if ('error' in answer) reject(fromErrorRecord(answer.error));
      else resolve(answer);
    });
    child.once('error', reject);
    child.once('exit', (code, by) => {
      reject(
        new GuestError('reference-died', `the reference process ended early (${by ?? `exit code ${code}`})`),
      );
    });
    child.send({ ...guest, ...(guest.trace === undefined ? {} : { trace: unshared(guest.trace) }) });
  });
}

/** Shared memory cannot go to another process. */
function unshared(trace: NonNullable<ReferenceQuestion['trace']>): NonNullable<ReferenceQuestion['trace']> {
  return { ...trace, accesses: new Uint32Array(trace.accesses) };
}

/** Compares each block of a stopped guest with the same guest run without migration to the same counts. */
export async function proveGuest(guest: StoppedGuest, signal?: AbortSignal): Promise<GuestProof> {
  const { description, vcpus, ramSha256, ramImagePath, touchesFrom } = guest;
  if (description.fill.kind === 'file' && ramImagePath === undefined) {
    return {
      isProved: false,
      verdict: 'not proved: the RAM was filled from a file; give it with --ram-image',
    };
  }
  const counts = vcpus.map((vcpu) => vcpu.count);
  const { fill, blocks, trace } = description;
  const question = { blocks, fill, vcpus: initialStates(guest), counts, trace, ramImagePath };
  const { ramSha256: expected, touched } = await runReference(
    touchesFrom === undefined ? question : { ...question, touchesFrom },
    signal,
  );
  const differing = Object.keys(expected).filter((block) => expected[block] !== ramSha256[block]);
  if (differing.length > 0) {
    return {
      isProved: false,
      verdict: `the RAM differs from the same guest without migration in: ${differing.join(', ')}`,
    };
  }
  const accesses = counts.reduce((sum, count) => sum + count, 0);
  return {
    isProved: true,
    verdict: `all RAM equals that of the same guest run without migration to the same ${accesses} accesses`,
    touched,
  };
}
