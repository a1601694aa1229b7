// Looks for a case that breaks a property, and makes it as small as it gets.
import fc from 'fast-check';
import { decodeInput, encodeInput, type FuzzInput } from './fuzz-input.ts';
import { type FuzzTarget, failureKey } from './fuzz-target.ts';

/** A case that fails. */
export interface Failure {
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** What a search looks at. */
export interface SearchOptions {
  readonly seed: number;
  readonly caseCount: number;
  /** Called with each case before it runs. */
  readonly onCase?: (input: Uint8Array) => void;
}

/** Runs cases of the seed until one fails; fast-check then shrinks the damage that was done. */
export function findFailure(target: FuzzTarget, options: SearchOptions): Failure | undefined {
  const { seed, caseCount, onCase } = options;
  const details = fc.check(
    fc.property(target.inputs, (input) => {
      onCase?.(input);
      target.run(input);
    }),
    { seed, numRuns: caseCount },
  );
  if (!details.failed) return undefined;
  const input = details.counterexample?.[0];
  if (input === null || input === undefined) throw new Error(`no case was run with seed ${seed}`);
  return smallest(target, { input, error: details.errorInstance });
}

/** What a case throws, or undefined. */
export function failureOf(target: FuzzTarget, input: Uint8Array): Failure | undefined {
  try {
    target.run(input);
  } catch (error) {
    return { input, error };
  }
  return undefined;
}

/** Attempts at a smaller case are given up after so many, each of which runs the target once. */
const ATTEMPTS = 2000;

/** Takes bytes and events out as long as the same failure remains. */
export function smallest(target: FuzzTarget, failure: Failure): Failure {
  const key = failureKey(failure.error);
  let best = failure;
  let attemptsLeft = ATTEMPTS;
  const accepts = (candidate: FuzzInput): boolean => {
    if (attemptsLeft === 0) return false;
    attemptsLeft -= 1;
    const found = failureOf(target, encodeInput(candidate));
    if (found === undefined || failureKey(found.error) !== key) return false;
    best = found;
    return true;
  };
  for (let before = Number.POSITIVE_INFINITY; best.input.length < before && attemptsLeft > 0; ) {
    before = best.input.length;
    shorten(decodeInput(best.input), accepts);
  }
  return best;
}

/** Tries to do without each event, then without stretches of each stream, the long ones first. */
function shorten(input: FuzzInput, accepts: (candidate: FuzzInput) => boolean): void {
  let current = input;
  const attempt = (candidate: FuzzInput): boolean => {
    const isAccepted = accepts(candidate);
    if (isAccepted) current = candidate;
    return isAccepted;
  };
  attempt({ ...current, splitSeed: 0 });
  for (let index = current.events.length - 1; index >= 0; index -= 1) {
    attempt({ ...current, events: current.events.toSpliced(index, 1) });
  }
  for (const which of [0, 1] as const) {
    for (let lengthBytes = 2 ** 20; lengthBytes >= 1; lengthBytes = Math.floor(lengthBytes / 2)) {
      for (let at = current.streams[which].length - lengthBytes; at >= 0; at -= lengthBytes) {
        const bytes = current.streams[which];
        const shorter = new Uint8Array(bytes.length - lengthBytes);
        shorter.set(bytes.subarray(0, at));
        shorter.set(bytes.subarray(at + lengthBytes), at);
        attempt({
          ...current,
          streams: which === 0 ? [shorter, current.streams[1]] : [current.streams[0], shorter],
        });
      }
    }
  }
}
