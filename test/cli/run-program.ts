// Runs the program `postcopy` as a process of its own, as a user would.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** What a run of the program left. */
export interface ProgramRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const PROGRAM = fileURLToPath(new URL('../../src/cli/postcopy.js', import.meta.url));

/** Runs `postcopy ARGS` with pipes for its output. */
export async function runProgram(...args: readonly string[]): Promise<ProgramRun> {
  // The loader hooks of the test runner would slow down every thread of the program.
  const { NODE_OPTIONS: _hooks, ...env } = process.env;
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { exitCode: child.exitCode, stdout, stderr };
}
