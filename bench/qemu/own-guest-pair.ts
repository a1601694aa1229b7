// Migrates our own guest, which writes pages at random as the walker does, between our own two ends.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { ChildEvent } from '../../src/cli/output.ts';
import type { MigrationResult } from '../../src/telemetry/result.ts';
import type { PairFigures, PairSetting } from './pair-figures.ts';
import { cpuSeconds, endProcesses } from './qemu-process.ts';

const PROGRAM = new URL('../../src/cli/postcopy.js', import.meta.url).pathname;
/** Waits for a machine whose other work holds it up. */
const TIMEOUT_MS = '60000';

/** An end of it, as the demo starts them: it tells its phases. */
class End {
  readonly child: ChildProcess;
  readonly result: Promise<MigrationResult>;

  constructor(args: readonly string[], onEvent: (event: ChildEvent) => void) {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const stdio = ['ignore', 'pipe', 'inherit', 'ipc'] as const;
    this.child = fork(PROGRAM, [...args], { stdio: [...stdio], env, execArgv: [] });
    this.child.on('message', onEvent);
    this.result = Promise.all([text(this.child.stdout!), once(this.child, 'exit')]).then(
      ([stdout, [code]]) => {
        if (code !== 0)
          throw new Error(`${args[0]}: expected exit code 0, found ${code}: ${stdout.slice(0, 2000)}`);
        return JSON.parse(stdout) as MigrationResult;
      },
    );
  }
}

/** Migrates once. @throws Error unless it completed */
export async function runOwnGuestPair({ ramBytes, pageBytes, preempt }: PairSetting): Promise<PairFigures> {
  const common = [
    ...['--json', '--no-verify', '--timeout', TIMEOUT_MS, '--smp', '1'],
    ...['--block', `ram0=${ramBytes}@${pageBytes}`],
    ...(preempt ? ['--postcopy-preempt'] : []),
  ];
  const ends: End[] = [];
  const cpu = () => ends.map(({ child }) => cpuSeconds(child.pid!)) as [number, number];
  let before: [number, number] | undefined;
  let after: [number, number] | undefined;
  try {
    const uri = await new Promise<string>((resolve, reject) => {
      const destination = new End(['destination', '--incoming', 'tcp:127.0.0.1:0', ...common], (event) => {
        if (event.kind === 'listening') resolve(event.uri);
        else if (event.kind !== 'progress') return;
        else if (event.phase === 'postcopy-active') before ??= cpu();
        // All has come, and the guest has been stopped.
        else if (event.phase === 'hash') after ??= cpu();
      });
      ends.push(destination);
      destination.result.catch(reject);
    });
    const guest = ['--guest', 'random', '--rate', '0', '--write-percent', '100', '--zero-percent', '0'];
    const source = new End(
      ['source', '--migrate', uri, '--postcopy-after', 'now', ...guest, ...common],
      () => {},
    );
    ends.push(source);
    const [received, sent] = await Promise.all(ends.map(({ result }) => result));
    const { stalls, marks } = received!;
    const activeNs = sent!.times.phases['postcopy-active'];
    const isWhole = received!.status === 'completed' && sent!.status === 'completed';
    if (
      !isWhole ||
      stalls === null ||
      activeNs === undefined ||
      before === undefined ||
      after === undefined
    ) {
      throw new Error(`expected a migration in postcopy, found ${sent!.status} and ${received!.status}`);
    }
    return {
      mbPerSecond: (sent!.bytes.wire! / activeNs) * 1000,
      downtimeMs: (marks.guestRunningNs! - sent!.marks.guestStoppedNs!) / 1e6,
      stallCount: stalls.count,
      p50Us: stalls.p50Ns! / 1000,
      p99Us: stalls.p99Ns! / 1000,
      blocktimeMs: stalls.blocktimeNs / 1e6,
      postcopySeconds: activeNs / 1e9,
      destinationCpuSeconds: after[0] - before[0],
      sourceCpuSeconds: after[1] - before[1],
    };
  } finally {
    await endProcesses(ends.map(({ child }) => child));
  }
}
