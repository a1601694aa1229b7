#!/usr/bin/env node
// Starts a QEMU, migrates it to a URI, and prints what came of it as JSON: an adapter for `postcopy conform source`.
//
//   postcopy conform source --spawn 'node examples/conform/qemu-source.mjs {uri}' --profile 7.2
//
// Plain Node, without anything of the project, to show what an adapter needs: it takes the URI, and prints one JSON
// object a line with `status`, and with `ramSha256` and `runState` when the migration is over; the last one counts.
import { spawn } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

const USAGE = `Usage: qemu-source.mjs URI [OPTIONS]

Migrates a QEMU to URI (tcp:HOST:PORT or unix:PATH) by postcopy and prints {"status", "ramSha256", "runState"}.

  --qemu PROGRAM     default qemu-system-x86_64
  --memory MIB       RAM, default 16
  --bios FILE        run this firmware on microvm, plain or gzip; without it the machine is none, and its RAM noise
  --huge DIRECTORY   RAM on this hugetlbfs
  --precopy          let it converge and complete by precopy
  --preempt          with a preempt channel
  --recover          connect again once when the migration is paused
  --bandwidth BYTES  a second for background pages of postcopy, default 2097152
`;

/** So slow that precopy does not end before postcopy is started. */
const PRECOPY_BANDWIDTH = 1024 * 1024;
const UNLIMITED = 0;
const POLL_MS = 20;
const MIB = 1024 * 1024;
const ENDS = ['completed', 'failed', 'cancelled', 'postcopy-paused'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    qemu: { type: 'string', default: 'qemu-system-x86_64' },
    memory: { type: 'string', default: '16' },
    bios: { type: 'string' },
    huge: { type: 'string' },
    precopy: { type: 'boolean', default: false },
    preempt: { type: 'boolean', default: false },
    recover: { type: 'boolean', default: false },
    bandwidth: { type: 'string', default: String(2 * MIB) },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const [uri] = positionals;
if (values.help || uri === undefined) {
  process.stdout.write(USAGE);
  process.exit(values.help ? 0 : 2);
}

const directory = mkdtempSync(join(tmpdir(), 'qemu-source-'));
const ramPath = join(values.huge ?? directory, `ram-${process.pid}`);
const ramBytes = Number(values.memory) * MIB;

/** Noise, so that no page is zero or equals another; the same in every run. A hugetlbfs cannot be written to. */
function writeNoise(path) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  writeFileSync(path, cipher.update(Buffer.alloc(ramBytes)));
}

function machineArgs() {
  if (values.bios === undefined) {
    const noisePath = join(directory, 'noise');
    if (values.huge === undefined) writeNoise(ramPath);
    else writeNoise(noisePath);
    const fill = values.huge === undefined ? [] : ['-device', `loader,file=${noisePath},addr=0,force-raw=on`];
    return ['-machine', 'none,memory-backend=ram0', '-S', ...fill];
  }
  const firmware = readFileSync(values.bios);
  const biosPath = join(directory, 'bios');
  writeFileSync(biosPath, firmware[0] === 0x1f && firmware[1] === 0x8b ? gunzipSync(firmware) : firmware);
  const serial = ['-serial', `file:${join(directory, 'serial')}`];
  return ['-machine', 'microvm,memory-backend=ram0', '-bios', biosPath, ...serial];
}

const size = `${values.memory}M`;
const qemu = spawn(
  values.qemu,
  [
    ...machineArgs(),
    ...['-accel', 'tcg', '-m', size, '-nodefaults', '-display', 'none'],
    ...['-object', `memory-backend-file,id=ram0,size=${size},mem-path=${ramPath},share=on`],
    ...['-qmp', `unix:${join(directory, 'qmp')},server=on,wait=off`],
  ],
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
process.once('SIGTERM', () => process.exit(1));
process.on('exit', () => {
  qemu.kill('SIGKILL');
  rmSync(ramPath, { force: true });
  rmSync(directory, { recursive: true, force: true });
});
const qemuEnded = once(qemu, 'exit').then(([code, signal]) => {
  throw new Error(`QEMU ended with ${code ?? signal}`);
});

/** Each line takes the place of the one before: a QEMU that waits for something for ever is an answer too. */
function tell(status, more = {}) {
  process.stdout.write(`${JSON.stringify({ status, ...more })}\n`);
}

/** QMP: commands one after another, and the states of the migration as they come. */
class Qmp {
  /** States so far, and who waits for the next. */
  states = [];
  onState = () => undefined;
  #socket;
  #pending = [];

  constructor(socket) {
    this.#socket = socket;
    createInterface(socket).on('line', (line) => {
      const message = JSON.parse(line);
      if (message.event === 'MIGRATION') {
        this.states.push(message.data.status);
        // It cancels when it is told to end, which tells nothing of the migration.
        if (message.data.status !== 'cancelling') tell(message.data.status);
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
        await qmp.run('qmp_capabilities');
        return qmp;
      } catch {
        await sleep(POLL_MS); // it is starting; if it does not, its end is noticed
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

  /** The first of these states that is reached after `seen` of them. */
  async reach(wanted, seen = 0) {
    for (;;) {
      const state = this.states.slice(seen).find((candidate) => wanted.includes(candidate));
      if (state !== undefined) return state;
      await new Promise((resolve) => {
        this.onState = resolve;
      });
    }
  }
}

function sha256OfFile(path) {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(MIB);
  const file = openSync(path, 'r');
  for (let count = readSync(file, piece); count > 0; count = readSync(file, piece)) {
    hash.update(piece.subarray(0, count));
  }
  closeSync(file);
  return hash.digest('hex');
}

async function migrate(qmp) {
  const capabilities = ['events', 'postcopy-ram', ...(values.preempt ? ['postcopy-preempt'] : [])];
  await qmp.run('migrate-set-capabilities', {
    capabilities: capabilities.map((capability) => ({ capability, state: true })),
  });
  await qmp.run('migrate-set-parameters', {
    'max-bandwidth': values.precopy ? UNLIMITED : PRECOPY_BANDWIDTH,
    'max-postcopy-bandwidth': Number(values.bandwidth),
  });
  await qmp.run('migrate', { uri });
  if (!values.precopy && (await qmp.reach(['active', ...ENDS])) === 'active') {
    await qmp.run('migrate-start-postcopy');
  }
  const status = await qmp.reach(ENDS);
  if (status !== 'postcopy-paused' || !values.recover) return status;
  const seen = qmp.states.length;
  await qmp.run('migrate', { uri, resume: true });
  return await qmp.reach(ENDS, seen);
}

/** The guest fills its RAM first, and walks it. */
async function awaitGuest() {
  const serial = join(directory, 'serial');
  while (!readFileSync(serial, 'latin1').includes('..')) await sleep(POLL_MS);
}

try {
  const qmp = await Promise.race([Qmp.open(join(directory, 'qmp')), qemuEnded]);
  if (values.bios !== undefined) await Promise.race([awaitGuest(), qemuEnded]);
  const status = await Promise.race([migrate(qmp), qemuEnded]);
  const { status: runState } = await qmp.run('query-status');
  const ramSha256 = { ram0: sha256OfFile(ramPath) };
  tell(status, { ramSha256, runState });
  process.exit(status === 'completed' ? 0 : 1);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
