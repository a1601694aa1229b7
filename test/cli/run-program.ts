// Runs the program `postcopy` as a process of its own, as a user would.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** What a run of the program left. */
export interface ProgramRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const PROGRAM = fileURLToPath(new URL('../../src/cli/postcopy.js', import.meta.url));

/**
 * Starts `postcopy ARGS` with pipes for its output. By way of env(1), because the test runner puts its loader hooks into
 * the environment of every Node process that is started here, and they slow down every thread of it.
 */
export function startProgram(args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  const command = ['-u', 'NODE_OPTIONS', process.execPath, PROGRAM, ...args];
  return spawn('env', command, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs `postcopy ARGS` to its end. */
export async function runProgram(...args: readonly string[]): Promise<ProgramRun> {
  const child = startProgram(args);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { exitCode: child.exitCode, stdout, stderr };
}
