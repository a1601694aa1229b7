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

/** Path of the compiled program. */
export const PROGRAM = fileURLToPath(new URL('../../src/cli/postcopy.js', import.meta.url));

/** Environment of a program under test: the loader hooks of the test runner would slow down every thread of it. */
export function programEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _hooks, ...env } = process.env;
  return env;
}

/** Runs `postcopy ARGS` with pipes for its output. */
export async function runProgram(...args: readonly string[]): Promise<ProgramRun> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: programEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { exitCode: child.exitCode, stdout, stderr };
}
