// Starts QEMU processes, and tells what they use and whether there is memory for them.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Of the clock in /proc/PID/stat, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const HUGE_FOLDER = '/sys/kernel/mm/hugepages/hugepages-2048kB';
const HUGE_PAGE_BYTES = 2 ** 21;

/** A free port; QEMU has no way to tell which one it chose. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a QEMU with QMP and nothing else on a UNIX socket. */
export function startQemu(qmpPath: string, args: readonly string[]): ChildProcess {
  const common = ['-accel', 'tcg', '-nodefaults', '-display', 'none'];
  const qmp = ['-qmp', `unix:${qmpPath},server=on,wait=off`];
  return spawn('qemu-system-x86_64', [...common, ...qmp, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Kills processes and waits until they are gone. */
export async function endProcesses(processes: readonly ChildProcess[]): Promise<void> {
  const exits = processes.map((child) =>
    child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined,
  );
  for (const child of processes) child.kill('SIGKILL');
  await Promise.all(exits);
}

/** CPU time that a process has used so far, all its threads together. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) / TICKS_PER_SECOND;
}

/** What it takes to have so many bytes of 2 MiB pages; undefined if they are free. */
export function lackOfHugePages(bytes: number): string | undefined {
  const read = (name: string): number => {
    try {
      return Number(readFileSync(`${HUGE_FOLDER}/${name}`, 'utf8'));
    } catch {
      return 0;
    }
  };
  const needed = Math.ceil(bytes / HUGE_PAGE_BYTES);
  const free = read('free_hugepages');
  if (free >= needed) return undefined;
  const more = read('nr_hugepages') + needed - free;
  return `${free} of ${needed} pages of 2 MiB are free; as root: echo ${more} > ${HUGE_FOLDER}/nr_hugepages`;
}
