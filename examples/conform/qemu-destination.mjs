#!/usr/bin/env node
// Starts a QEMU that waits for a migration at a URI, and prints what came of it as JSON: an adapter for
// `postcopy conform destination`.
//
//   postcopy conform destination --profile 7.2 --spawn 'node examples/conform/qemu-destination.mjs {uri}' \
//     --variant preempt='node examples/conform/qemu-destination.mjs {uri} --preempt'
//
// Plain Node, without anything of the project, to show what an adapter needs: it takes the URI, and prints one JSON
// object with `status` and, where it can, `ramSha256` when the migration is over.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

const USAGE = `Usage: qemu-destination.mjs URI [OPTIONS]

Lets a QEMU wait for a migration at URI (tcp:HOST:PORT or unix:PATH) and prints {"status", "ramSha256"}.

  --qemu PROGRAM     default qemu-system-x86_64
  --memory MIB       RAM, default 16
  --bios FILE        run this firmware on microvm, plain or gzip; without it the machine is none, and stands still
  --huge DIRECTORY   RAM on this hugetlbfs
  --preempt          with a preempt channel
  --no-postcopy      without the capability postcopy-ram
  --uuid UUID        the machine has this UUID
  --recover          go on when the migration is paused: the next connection recovers it
`;

const POLL_MS = 20;
const MIB = 1024 * 1024;
/** QEMU tells that it has completed just before it sends SHUT, and must not be killed in between. */
const SHUT_MS = 200;
const ENDS = ['completed', 'failed', 'cancelled', 'postcopy-paused'];
/** The firmware of the captures prints a dot for each walk of its RAM, and an X for each page that is wrong. */
const WALKS = 20;
const WALKS_LIMIT_MS = 20_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    qemu: { type: 'string', default: 'qemu-system-x86_64' },
    memory: { type: 'string', default: '16' },
    bios: { type: 'string' },
    huge: { type: 'string' },
    preempt: { type: 'boolean', default: false },
    'no-postcopy': { type: 'boolean', default: false },
    uuid: { type: 'string' },
    recover: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const [uri] = positionals;
if (values.help || uri === undefined) {
  process.stdout.write(USAGE);
  process.exit(values.help ? 0 : 2);
}

const directory = mkdtempSync(join(tmpdir(), 'qemu-destination-'));
const serialPath = join(directory, 'serial');

function machineArgs() {
  if (values.bios === undefined) return ['-machine', 'none,memory-backend=ram0', '-S'];
  const firmware = readFileSync(values.bios);
  const biosPath = join(directory, 'bios');
  writeFileSync(biosPath, firmware[0] === 0x1f && firmware[1] === 0x8b ? gunzipSync(firmware) : firmware);
  return ['-machine', 'microvm,memory-backend=ram0', '-bios', biosPath, '-serial', `file:${serialPath}`];
}

const size = `${values.memory}M`;
const backend =
  values.huge === undefined ? 'memory-backend-ram' : `memory-backend-file,mem-path=${values.huge}`;
const qemu = spawn(
  values.qemu,
  [
    ...machineArgs(),
    ...['-accel', 'tcg', '-m', size, '-nodefaults', '-display', 'none', '-incoming', 'defer'],
    ...['-object', `${backend},id=ram0,size=${size}`],
    ...(values.uuid === undefined ? [] : ['-uuid', values.uuid]),
    ...['-qmp', `unix:${join(directory, 'qmp')},server=on,wait=off`],
  ],
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
process.on('exit', () => {
  qemu.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});
process.once('SIGTERM', () => process.exit(1));
/** A destination of 7.2 ends with an error before its guest runs. */
const qemuEnded = once(qemu, 'exit').then(() => 'failed');

/** QMP: commands one after another, and the states of the migration as they come. */
class Qmp {
  #socket;
  #pending = [];
  /** States so far, and who waits for the next. */
  states = [];
  onState = () => undefined;

  constructor(socket) {
    this.#socket = socket;
    createInterface(socket).on('line', (line) => {
      const message = JSON.parse(line);
      if (message.event === 'MIGRATION') {
        this.states.push(message.data.status);
        this.onState();
      } else if (message.event === undefined && message.QMP === undefined) this.#pending.shift()(message);
    });
  }

  static async open(path) {
    for (;;) {
      const socket = connect(path);
      try {
        await once(socket, 'connect');
        const qmp = new Qmp(socket);
        socket.on('error', () => undefined); // its end is noticed as that of QEMU
        await qmp.run('qmp_capabilities');
        return qmp;
      } catch {
        await sleep(POLL_MS); // it is starting
      }
    }
  }

  async run(execute, args = {}) {
    const answer = new Promise((resolve) => this.#pending.push(resolve));
    this.#socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    const { error, return: result } = await answer;
    if (error !== undefined) throw new Error(`${execute}: ${error.desc}`);
    return result;
  }

  /** The first state behind the `seen` first ones that is an end. */
  async end(seen = 0) {
    for (;;) {
      const state = this.states.slice(seen).find((candidate) => ENDS.includes(candidate));
      if (state !== undefined) return state;
      await new Promise((resolve) => {
        this.onState = resolve;
      });
    }
  }
}

async function migrated(qmp) {
  const capabilities = [
    'events',
    ...(values['no-postcopy'] ? [] : ['postcopy-ram']),
    ...(values.preempt ? ['postcopy-preempt'] : []),
    ...(values.uuid === undefined ? [] : ['validate-uuid']),
  ];
  await qmp.run('migrate-set-capabilities', {
    capabilities: capabilities.map((capability) => ({ capability, state: true })),
  });
  await qmp.run('migrate-incoming', { uri });
  const status = await qmp.end();
  if (status !== 'postcopy-paused' || !values.recover) return status;
  // The listener of a 7.2 accepts again once the migration is paused, so no migrate-recover is needed.
  return await qmp.end(qmp.states.indexOf(status) + 1);
}

async function ramSha256(qmp) {
  const filename = join(directory, 'ram');
  await qmp.run('pmemsave', { val: 0, size: Number(values.memory) * MIB, filename });
  return { ram0: createHash('sha256').update(readFileSync(filename)).digest('hex') };
}

async function withRam(qmp) {
  return { status: 'completed', ramSha256: await ramSha256(qmp) };
}

/** A guest that walks its RAM proves it itself. */
async function guestVerdict() {
  const deadlineMs = performance.now() + WALKS_LIMIT_MS;
  for (;;) {
    const printed = readFileSync(serialPath, 'latin1');
    if (printed.includes('X')) return 'its guest found a page that is wrong';
    if (printed.length >= WALKS) return undefined;
    if (performance.now() > deadlineMs) return 'its guest does not go on';
    await sleep(POLL_MS);
  }
}

try {
  const qmp = await Promise.race([Qmp.open(join(directory, 'qmp')), qemuEnded]);
  if (qmp === 'failed') throw new Error('QEMU did not start');
  const status = await Promise.race([migrated(qmp), qemuEnded]);
  let told = { status };
  if (status === 'completed') await sleep(SHUT_MS);
  if (status === 'completed' && values.bios === undefined)
    told = await Promise.race([
      withRam(qmp),
      qemuEnded.then(() => ({ status, error: 'QEMU ended after it' })),
    ]);
  if (status === 'completed' && values.bios !== undefined) {
    const fault = await guestVerdict();
    if (fault !== undefined) told = { status: 'wrong RAM', error: fault };
  }
  process.stdout.write(`${JSON.stringify(told)}\n`);
  process.exit(told.status === 'completed' ? 0 : 1);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
