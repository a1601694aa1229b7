// tcpdump captures a migration of real QEMU on the loopback: `dissect` reads from it what our end recorded.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CliProcess, runCli } from '../cli/cli-process.ts';
import { Command, temporaryDirectory } from '../e2e/command.ts';
import { LiveQemu, MIB, noiseFile, whyNoQemu } from './live-qemu.ts';

const RAM_BYTES = 16 * MIB;
/** Bandwidth at which pages are left to be asked for. */
const SLOW = 16 * MIB;
/** The packets of this many KiB wait in the kernel until tcpdump gets to run. */
const BUFFER_KIB = '65536';

/** Why nothing can be captured here; undefined if it can. The words stand in the list of skipped tests. */
function whyNoCapture(): string | undefined {
  // It opens the device to see how its packets begin, captures nothing, and ends.
  const { status, error, stderr } = spawnSync('tcpdump', ['-i', 'lo', '-d', 'tcp'], { encoding: 'utf8' });
  if (error !== undefined) return 'needs tcpdump';
  return status === 0 ? undefined : `needs leave to capture: ${stderr.trim().replaceAll('\n', ' ')}`;
}

const skip = whyNoQemu() ?? whyNoCapture() ?? false;

/** Captures what goes over a port into a file, packet by packet, until it is stopped. */
async function startCapture(t: Test, port: string, path: string) {
  const args = ['-i', 'lo', '-U', '-n', '-s', '0', '-B', BUFFER_KIB, '-w', path, 'tcp', 'port', port];
  // As another user it could not write below the directory of the test.
  const child = spawn('tcpdump', ['-Z', 'root', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const said: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (piece: string) => said.push(piece));
  while (!said.join('').includes('listening on lo')) {
    await Promise.race([
      once(child.stderr, 'data'),
      ended.then(() => Promise.reject(new Error(`tcpdump ended: ${said.join('')}`))),
    ]);
  }
  return {
    stop: async (): Promise<string> => {
      child.kill('SIGINT');
      await ended;
      return said.join('');
    },
  };
}

/** The entries of a dissection in JSON, by direction, without their times. */
function entries(json: string): Record<'fwd' | 'ret', string[]> {
  const byDirection = { fwd: [] as string[], ret: [] as string[] };
  for (const line of json.trimEnd().split('\n')) {
    const { t: _time, ...entry } = JSON.parse(line) as { t?: number; dir: 'fwd' | 'ret' };
    byDirection[entry.dir].push(JSON.stringify(entry));
  }
  return byDirection;
}

t.test('a migration of QEMU to our destination, captured by tcpdump', { skip }, async (t) => {
  const ramPath = noiseFile(t, RAM_BYTES);
  const none = { machine: 'none', ramBytes: RAM_BYTES, ramPath, isIncoming: false } as const;
  const qemu = await LiveQemu.start(t, none);
  const directory = temporaryDirectory(t);
  const [recording, capture] = [join(directory, 'recording'), join(directory, 'migration.pcap')];
  const destination = new Command([
    ...['destination', '--incoming', 'tcp:127.0.0.1:0', '--touch', 'random', '--record', recording],
  ]);
  const uri = await destination.listening();
  const tcpdump = await startCapture(t, uri.split(':').at(-1)!, capture);
  const followed = new CliProcess('dissect', '--follow', '--json', capture);
  await qemu.migrate(uri, SLOW);
  const { exitCode, stderr } = await destination.ended;
  t.equal(exitCode, 0, stderr);
  t.equal((await qemu.migrated()).status, 'completed');
  await followed.printed(/"name":"SHUT"/);
  followed.child.kill('SIGINT');
  t.match(await tcpdump.stop(), /^0 packets dropped by kernel/m);

  const recorded = await runCli('dissect', '--json', recording);
  t.equal(recorded.code, 0, recorded.stderr);
  const expected = entries(recorded.stdout);
  t.ok(expected.fwd.length > RAM_BYTES / 4096);
  t.ok(expected.ret.filter((entry) => entry.includes('"REQ_PAGES')).length > 0, 'pages were asked for');
  const read = await runCli('dissect', '--json', capture);
  t.equal(read.code, 0, read.stderr);
  t.ok(JSON.stringify(entries(read.stdout)) === JSON.stringify(expected), 'every record of both directions');
  const live = await followed.result();
  t.equal(live.code, 0, live.stderr);
  t.ok(JSON.stringify(entries(live.stdout)) === JSON.stringify(expected), 'as it grew, too');
});
