// Tells on what machine, with which Node and when a figure was measured: without it a figure means nothing.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** Where and when it was measured. */
export interface MachineFacts {
  readonly date: string;
  readonly cpu: string;
  readonly coreCount: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly isVirtual: boolean;
  readonly node: string;
  readonly transparentHugePages: string;
  readonly congestionControl: string;
  /** Load average of the last minute when the benches began: above 0.5, others ran too. */
  readonly loadAtStart: number;
  /** First line of `qemu-system-x86_64 --version`; null if it is not installed. */
  readonly qemu: string | null;
}

function readSetting(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** Version of the installed QEMU; null if there is none. */
export function findQemu(): string | null {
  try {
    return execFileSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' }).split('\n')[0]!;
  } catch {
    return null;
  }
}

/** Gathers the facts. */
export function machineFacts(): MachineFacts {
  const thp = readSetting('/sys/kernel/mm/transparent_hugepage/enabled');
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    coreCount: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    isVirtual: readSetting('/proc/cpuinfo').includes('hypervisor'),
    node: process.version,
    transparentHugePages: /\[(\w+)\]/.exec(thp)?.[1] ?? thp,
    congestionControl: readSetting('/proc/sys/net/ipv4/tcp_congestion_control'),
    loadAtStart: loadavg()[0]!,
    qemu: findQemu(),
  };
}

/** The facts as lines of text. */
export function describeMachine(facts: MachineFacts): string {
  const memory = (facts.memoryBytes / 2 ** 30).toFixed(1);
  const host = facts.isVirtual ? 'virtual machine' : 'bare metal';
  return [
    `${facts.date}`,
    `${facts.cpu}, ${facts.coreCount} hardware threads, ${memory} GiB, ${host}, Linux ${facts.kernel}`,
    `Node ${facts.node}, THP ${facts.transparentHugePages}, TCP ${facts.congestionControl}, load ${facts.loadAtStart.toFixed(2)} at the start`,
    facts.qemu ?? 'QEMU: not installed',
  ].join('\n');
}
