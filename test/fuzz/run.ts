// The fuzzer as a program: runs targets for as long as told, and says how to see a failure again.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { isMainThread, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Failure, failureOf, findFailure } from './find-failure.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { TARGETS } from './targets.ts';

const HELP = `Usage: npm run fuzz -- [options]

Feeds damaged migrations to the decoders and to both cores until a property breaks or the time is over.

  --target NAME    ${Object.keys(TARGETS).join(', ')} or all (default all: in turns)
  --seconds N      how long (default 60; 0 is until Ctrl-C)
  --seed S         seed of the first round, 0 to 2147483647 (default: of the clock; it is printed)
  --replay HEX     runs one case instead, and prints it in words
  --input FILE     the same, of a file: what a failure left in .fuzz/
  --help

Exit codes: 0 nothing was found, 1 a property broke, 2 usage.

Examples:
  npm run fuzz -- --seconds 600
  npm run fuzz -- --target destination --seed 7 --seconds 0
  npm run fuzz -- --target destination --input .fuzz/destination-7.bin
  npm run fuzz -- --target decoder --replay 0000000000000000
`;

/** Cases of one seed; the next round has the next seed. */
const ROUND_CASES = 500;
const PROGRESS_MS = 5000;
/** A case takes some milliseconds; one that takes so long will never end. */
const HANG_MS = 30_000;
const LONGEST_CASE_BYTES = 16 * 2 ** 20;
/** Longer cases are told by their file alone. */
const PRINTED_HEX_BYTES = 8192;

interface Told {
  readonly kind: 'round' | 'failure';
  readonly seed: number;
  readonly target: string;
  readonly cases: number;
  readonly input?: Uint8Array;
  readonly error?: string;
}

/** The worker: rounds for ever. The case at hand stands in shared memory, for the case that it never ends. */
function work(
  port: MessagePort,
  { names, seed, shared }: { names: string[]; seed: number; shared: SharedArrayBuffer },
): void {
  const targets = names.map((name) => TARGETS[name]!());
  const head = new Int32Array(shared, 0, 3);
  const body = new Uint8Array(shared, 12);
  for (let round = 0; ; round += 1) {
    const target = targets[round % targets.length]!;
    const roundSeed = (seed + Math.floor(round / targets.length)) % 2 ** 31;
    Atomics.store(head, 2, round % targets.length);
    const failure = findFailure(target, {
      seed: roundSeed,
      caseCount: ROUND_CASES,
      onCase(input) {
        Atomics.store(head, 1, input.length);
        body.set(input.subarray(0, body.length));
        Atomics.add(head, 0, 1);
      },
    });
    const cases = Atomics.load(head, 0);
    if (failure === undefined) {
      port.postMessage({ kind: 'round', seed: roundSeed, target: target.name, cases } satisfies Told);
      continue;
    }
    const told: Told = {
      kind: 'failure',
      seed: roundSeed,
      target: target.name,
      cases,
      input: failure.input,
      error: textOf(failure.error),
    };
    port.postMessage(told);
    return;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Writes the case to a file and tells all that is needed to see it again. */
function report(name: string, seed: number, { input, error }: Failure, lines: readonly string[]): void {
  mkdirSync('.fuzz', { recursive: true });
  const path = `.fuzz/${name}-${seed}.bin`;
  writeFileSync(path, input);
  const hex = Buffer.from(input).toString('hex');
  console.log(`\nFAILED ${name}, seed ${seed}: ${textOf(error)}\n`);
  for (const line of lines) console.log(`  ${line}`);
  console.log(`\nsmallest case found, ${input.length} bytes: ${path}`);
  if (input.length <= PRINTED_HEX_BYTES) console.log(hex);
  console.log(`\nsee it again: npm run fuzz -- --target ${name} --input ${path}`);
  if (input.length <= PRINTED_HEX_BYTES / 8)
    console.log(`          or: npm run fuzz -- --target ${name} --replay ${hex}`);
}

function describeOf(target: FuzzTarget, input: Uint8Array): string[] {
  try {
    return target.describe(input);
  } catch (error) {
    return [`it cannot be told in words: ${String(error)}`];
  }
}

/** Runs one case. */
function replay(name: string, input: Uint8Array): number {
  const target = TARGETS[name]!();
  for (const line of describeOf(target, input)) console.log(line);
  const failure = failureOf(target, input);
  console.log(failure === undefined ? '\nevery property holds' : `\nFAILED ${textOf(failure.error)}`);
  return failure === undefined ? 0 : 1;
}

async function fuzz(names: string[], seed: number, seconds: number): Promise<number> {
  const shared = new SharedArrayBuffer(12 + LONGEST_CASE_BYTES);
  const head = new Int32Array(shared, 0, 3);
  const worker = new Worker(new URL(import.meta.url), { workerData: { names, seed, shared } });
  const startMs = performance.now();
  console.log(`fuzz: ${names.join(', ')}, seed ${seed}${seconds > 0 ? `, ${seconds} s` : ', until Ctrl-C'}`);
  let lastSeed = seed;
  const tell = (): void => {
    const elapsed = (performance.now() - startMs) / 1000;
    const cases = Atomics.load(head, 0);
    console.log(
      `${elapsed.toFixed(0)} s: ${cases} cases, ${(cases / elapsed).toFixed(0)} cases/s, seed ${lastSeed}`,
    );
  };
  const timers: NodeJS.Timeout[] = [setInterval(tell, PROGRESS_MS)];
  const code = await new Promise<number>((resolve, reject) => {
    let seen = -1;
    timers.push(
      setInterval(() => {
        const cases = Atomics.load(head, 0);
        if (cases > seen || cases === 0) {
          seen = cases;
          return;
        }
        const input = new Uint8Array(shared, 12, Math.min(Atomics.load(head, 1), LONGEST_CASE_BYTES)).slice();
        const name = names[Atomics.load(head, 2)]!;
        report(name, lastSeed, { input, error: `no end of a case within ${HANG_MS / 1000} s` }, []);
        resolve(1);
      }, HANG_MS),
    );
    if (seconds > 0) timers.push(setTimeout(() => resolve(0), seconds * 1000));
    process.once('SIGINT', () => resolve(0));
    worker.once('error', reject);
    worker.on('message', (told: Told) => {
      lastSeed = told.seed;
      if (told.kind === 'round') return;
      const failure = { input: told.input!, error: told.error };
      report(told.target, told.seed, failure, describeOf(TARGETS[told.target]!(), failure.input));
      resolve(1);
    });
  });
  for (const timer of timers) clearInterval(timer);
  tell();
  await worker.terminate();
  return code;
}

function usage(message: string): number {
  console.error(`fuzz: ${message}; see npm run fuzz -- --help`);
  return 2;
}

function wholeNumber(text: string, max: number): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}

async function main(): Promise<number> {
  let values: Partial<Record<'target' | 'seconds' | 'seed' | 'replay' | 'input', string>> & {
    help?: boolean;
  };
  try {
    const text = { type: 'string' } as const;
    const options = {
      target: text,
      seconds: text,
      seed: text,
      replay: text,
      input: text,
      help: { type: 'boolean' },
    } as const;
    ({ values } = parseArgs({ options }));
  } catch (error) {
    return usage((error as Error).message);
  }
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const { target = 'all' } = values;
  const names = target === 'all' ? Object.keys(TARGETS) : [target];
  if (names.some((name) => !Object.hasOwn(TARGETS, name))) return usage(`no target '${target}'`);
  if (values.replay !== undefined || values.input !== undefined) {
    if (target === 'all') return usage('a single case needs --target NAME');
    if (values.replay !== undefined && !/^([0-9a-f]{2})*$/i.test(values.replay))
      return usage('--replay takes pairs of hex digits');
    try {
      return replay(
        target,
        new Uint8Array(
          values.replay === undefined ? readFileSync(values.input!) : Buffer.from(values.replay, 'hex'),
        ),
      );
    } catch (error) {
      return usage((error as Error).message);
    }
  }
  const seconds = wholeNumber(values.seconds ?? '60', 10_000_000);
  if (seconds === undefined) return usage('--seconds takes a whole number');
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : wholeNumber(values.seed, 2 ** 31 - 1);
  if (seed === undefined) return usage('--seed takes a whole number from 0 to 2147483647');
  return await fuzz(names, seed, seconds);
}

if (isMainThread) process.exitCode = await main();
else work(parentPort!, workerData as Parameters<typeof work>[1]);
