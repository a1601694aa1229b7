// Runs `npm run bench`'s program as a process, as a user would.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { repositoryUrl } from '../fixtures.ts';

const PROGRAM = repositoryUrl('dist/bench/bench.js').pathname;

/** What it did. */
export interface BenchEnding {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts it. */
export function startBench(args: readonly string[]): { process: ChildProcess; ended: Promise<BenchEnding> } {
  const { NODE_OPTIONS: _, ...env } = process.env;
  // The test runner puts its hooks into every child's environment; they would slow down the ends.
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
    ([[exitCode], stdout, stderr]) => ({ exitCode: exitCode as number | null, stdout, stderr }),
  );
  return { process: child, ended };
}

/** Runs it to its end. */
export async function runBench(...args: readonly string[]): Promise<BenchEnding> {
  return await startBench(args).ended;
}

/** Writes a matrix to a file and returns its path. */
export function writeMatrix(directory: string, matrix: unknown): string {
  const path = `${directory}/matrix.json`;
  writeFileSync(path, JSON.stringify(matrix));
  return path;
}
