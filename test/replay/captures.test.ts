// Every capture of real QEMU, replayed by the program, ends with the RAM that QEMU had or as QEMU refused it.
//
// What is proved of the RAM, per capture:
// - no vCPU (a1 a2 b1 b2 c1 e3): it has the hash that QEMU's own RAM had, as its result file tells;
// - running guest (a4 d1 d2 d4 f1 f2): QEMU gave no hash, since its guest went on. The guest's counters are looked up in
//   the bytes of the capture by the marks beside them, without decoding; they must step at one place, as those of a
//   guest that stopped in the middle of a walk; and the RAM must be that walk and zeros, to the last byte. Firmware must
//   be the image that QEMU was given; the tables that QEMU generated must be alike in all captures, however they came.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { ReturnPathDecoder } from '../../src/protocol/return-path-decoder.ts';
import type { MigrationResult } from '../../src/telemetry/result.ts';
import { runProgram } from '../cli/run-program.ts';
import { readCapture, readText, repositoryUrl } from '../fixtures.ts';
import { lastCounters, ramOf, walkOf } from './guest-in-stream.ts';

const RAM_BYTES = 16 * 2 ** 20;
const directory = mkdtempSync(join(tmpdir(), 'postcopy-replay-'));
t.teardown(() => rmSync(directory, { recursive: true }));

interface Replay {
  readonly result: MigrationResult;
  readonly exitCode: number | null;
  readonly replies: Uint8Array;
}

function capturePath(file: string): string {
  return fileURLToPath(repositoryUrl(`test/fixtures/captures/${file}`));
}

async function replay(name: string, ...options: readonly string[]): Promise<Replay> {
  const repliesPath = join(directory, `${name}.ret.bin`);
  const preempt = name.includes('preempt') ? [capturePath(`${name}.c1.fwd.bin.gz`)] : [];
  const main = capturePath(`${name}.c0.fwd.bin.gz`);
  const { exitCode, stdout } = await runProgram(
    'destination',
    ...['--replay', main, ...preempt, '--replies', repliesPath, '--json', ...options],
  );
  return { result: JSON.parse(stdout) as MigrationResult, exitCode, replies: readFileSync(repliesPath) };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What QEMU reported. */
function reported(name: string): { ram_sha256?: string; destination: { stderr: string[] } } {
  return JSON.parse(readText(`test/fixtures/captures/${name}.result.json`));
}

/** PONG values and SHUT of a return path, in order. */
function answers(bytes: Uint8Array): string[] {
  const all: string[] = [];
  const decoder = new ReturnPathDecoder(
    (record) => {
      if (record.name === 'PONG' || record.name === 'SHUT') all.push(`${record.name} ${record.value}`);
      else if (!record.name.startsWith('REQ_PAGES')) all.push(record.name);
    },
    { profile: '7.2' },
  );
  decoder.push(bytes);
  decoder.end();
  return all;
}

/**
 * The thread that reads the stream answers PING 1, 2 and 4; PING 3 is in the package, and the thread that loads it
 * answers: QEMU's own captures have that PONG before and after the one of PING 4.
 */
const PACKAGE_PONG = 'PONG 3';

function sameAnswers(t: Test, name: string, replies: Uint8Array): void {
  const ours = answers(replies);
  const theirs = answers(readCapture(`${name}.c0.ret`));
  const fixed = (all: string[]) => all.filter((answer) => answer !== PACKAGE_PONG);
  t.strictSame(fixed(ours), fixed(theirs), 'the answers whose order is fixed, SHUT last');
  t.strictSame(new Set(ours), new Set(theirs), 'all answers but page requests');
  t.equal(ours.length, theirs.length, 'each once');
}

const WITHOUT_VCPU: Readonly<Record<string, readonly string[]>> = {
  'a1-precopy-none': [],
  'a2-precopy-none-returnpath': [],
  'b1-postcopy-4k-none': [],
  'b2-postcopy-4k-none-zero': [],
  'c1-postcopy-2m-none': ['--host-page', '2M'],
  'e3-mismatch-precopy-4k-to-2m': ['--host-page', '2M'],
};

for (const [name, options] of Object.entries(WITHOUT_VCPU)) {
  t.test(name, async (t) => {
    const { result, exitCode, replies } = await replay(name, ...options);
    t.equal(exitCode, 0);
    t.equal(result.status, 'completed');
    t.strictSame(result.ramSha256, { ram0: reported(name).ram_sha256 }, "RAM is what QEMU's was");
    t.equal(result.bytes.wire, readCapture(`${name}.c0.fwd`).length, 'every byte was taken');
    sameAnswers(t, name, replies);
  });
}

const WITH_GUEST: Readonly<Record<string, readonly string[]>> = {
  'a4-precopy-bios': [],
  'd1-postcopy-4k-bios': [],
  'd2-postcopy-2m-bios': ['--block-page', 'ram0=2M'],
  'd4-postcopy-4k-bios-rev': [],
  'f1-preempt-4k-bios': [],
  'f2-preempt-2m-bios': ['--block-page', 'ram0=2M'],
};

/** The firmware as the guest leaves it: loading its data segment sets the accessed bit of the descriptor. */
function firmware(name: string): Buffer {
  const file = name.endsWith('-rev') ? 'guest-down.bios.gz' : 'guest-up.bios.gz';
  const image = gunzipSync(readFileSync(capturePath(file)));
  const accessByteOffset = image.indexOf(Buffer.from('ffff00000092cf00', 'hex')) + 5;
  image[accessByteOffset] = 0x93;
  return image;
}

/** Blocks that QEMU itself fills. */
const GENERATED_BLOCKS = new Set(['/rom@etc/acpi/tables', '/rom@etc/acpi/rsdp', '/rom@etc/table-loader']);
const generated = new Map<string, string>();

for (const [name, options] of Object.entries(WITH_GUEST)) {
  t.test(name, async (t) => {
    const { result, exitCode, replies } = await replay(name, ...options);
    t.equal(exitCode, 0);
    t.equal(result.status, 'completed');
    const channels = name.includes('preempt') ? ['c0', 'c1'] : ['c0'];
    const streams = channels.map((channel) => readCapture(`${name}.${channel}.fwd`));
    const walk = walkOf(lastCounters(streams));
    t.equal(Math.abs(walk.before - walk.after), 1, 'the guest was stopped within a walk');
    t.equal(walk.before > walk.after, !name.endsWith('-rev'), 'the guest walked in its direction');
    const { ram0, 'pc.bios': bios, ...rest } = result.ramSha256;
    t.equal(ram0, sha256(ramOf(walk, RAM_BYTES)), 'RAM is the walk of the guest and zeros');
    t.equal(bios, sha256(firmware(name)), 'firmware is the image');
    t.strictSame(new Set(Object.keys(rest)), GENERATED_BLOCKS, 'the other blocks are the tables of QEMU');
    for (const [block, hash] of Object.entries(rest)) {
      t.equal(hash, generated.get(block) ?? hash, `${block} is the same as in the other captures`);
      generated.set(block, hash);
    }
    const wireBytes = streams.reduce((sum, stream) => sum + stream.length, 0);
    t.equal(result.bytes.wire, wireBytes, 'every byte was taken');
    sameAnswers(t, name, replies);
  });
}

const REFUSED: Readonly<Record<string, string>> = {
  'e1-mismatch-4k-to-2m': '2M',
  'e2-mismatch-2m-to-4k': '4K',
};

for (const [name, page] of Object.entries(REFUSED)) {
  for (const [layout, options] of Object.entries({
    'layout given': ['--block', `ram0=16M@${page}`],
    'layout learned from the stream': ['--host-page', page],
  })) {
    t.test(`${name}, ${layout}`, async (t) => {
      const { result, exitCode, replies } = await replay(name, ...options);
      t.equal(exitCode, 1);
      t.equal(result.status, 'failed');
      t.equal(result.error?.code, 'page-sizes-differ');
      t.equal(result.error?.rule, 'D29');
      const [said] = reported(name).destination.stderr;
      t.equal(`qemu-system-x86_64: ${result.error?.message}`, said, 'the words of QEMU');
      t.strictSame(result.ramSha256, {}, 'no RAM is given away');
      t.same(replies, readCapture(`${name}.c0.ret`), 'the answers are those of QEMU, byte for byte');
    });
  }
}

t.test('a capture with one byte of a page changed does not have the RAM that QEMU had', async (t) => {
  const name = 'b1-postcopy-4k-none';
  const bytes = Buffer.from(readCapture(`${name}.c0.fwd`));
  bytes[bytes.length - 2000]! ^= 1;
  const changed = join(directory, 'changed.bin');
  writeFileSync(changed, bytes);
  const { stdout } = await runProgram('destination', '--replay', changed, '--json');
  const result = JSON.parse(stdout) as MigrationResult;
  t.equal(result.status, 'completed', 'nothing on the wire guards the content of a page');
  t.not(result.ramSha256['ram0'], reported(name).ram_sha256);
});
