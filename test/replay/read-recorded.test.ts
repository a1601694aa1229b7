// What can be read out of a recorded stream, and what a recording that is not whole is refused with.
import t from 'tap';
import type { MigrationError } from '../../src/errors.ts';
import type { RecordedPiece } from '../../src/recording/recorded-piece.ts';
import { readGuest } from '../../src/replay/read-guest.ts';
import { readMachine } from '../../src/replay/read-machine.ts';
import { readCapture } from '../fixtures.ts';

type Conn = readonly [conn: number, bytes: Uint8Array];

/** Pieces of a recording, each stream in two halves, so that nothing rests on how bytes were grouped. */
async function* pieces(...streams: readonly Conn[]): AsyncGenerator<RecordedPiece> {
  for (const [conn, bytes] of streams) {
    const middle = Math.floor(bytes.length / 2);
    for (const half of [bytes.subarray(0, middle), bytes.subarray(middle)]) {
      yield { tSeconds: undefined, conn, dir: 'fwd', bytes: half };
    }
  }
}

function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}

/** Magic, version, and the configuration of a machine `none`. */
const HEAD = '51 45 56 4d 00 00 00 03  07 00 00 00 04 6e 6f 6e 65';
/** A FULL section `t` with the payload 01 02. */
const DEVICE = '04 00000000 01 74 00000000 00000001 0102 7e 00000000';

async function codeOf(reading: Promise<unknown>): Promise<MigrationError> {
  return await reading.then(
    () => Promise.reject(new Error('it was read')),
    (error: MigrationError) => error,
  );
}

const guestOf = (hasPreempt: boolean, ...streams: readonly Conn[]) =>
  readGuest(pieces(...streams), { profile: 'strict', hasPreempt });
const machineOf = (bytes: Uint8Array) => readMachine(pieces([0, bytes]), 'strict');

t.test('the machine of a capture of QEMU', async (t) => {
  const machine = await machineOf(readCapture('d1-postcopy-4k-bios.c0.fwd'));
  t.match(machine.machine, /microvm/);
  t.ok(machine.devices.some(({ idstr }) => idstr === 'cpu'));
  t.equal(machine.vmDescription, undefined, 'a postcopy stream has none');
  const precopy = await machineOf(readCapture('a4-precopy-bios.c0.fwd'));
  t.strictSame(
    precopy.devices.map(({ idstr }) => idstr),
    machine.devices.map(({ idstr }) => idstr),
    'the same devices',
  );
  t.match(JSON.parse(precopy.vmDescription!), { page_size: 4096 });
});

t.test('device state needs no more of a stream than the package', async (t) => {
  const whole = readCapture('d1-postcopy-4k-bios.c0.fwd');
  const cut = await machineOf(whole.subarray(0, whole.length - 100_000));
  t.strictSame(cut, await machineOf(whole));
  const error = await codeOf(machineOf(whole.subarray(0, 50_000)));
  t.match(error, { code: 'truncated', offset: 50_000, stream: 'main' });
});

t.test('a stream whose device state is not clear', async (t) => {
  const clear = await machineOf(fromHex(`${HEAD} ${DEVICE} 00`));
  t.strictSame(clear.devices, [
    { sectionId: 0, idstr: 't', instanceId: 0, versionId: 1, payload: fromHex('0102') },
  ]);
  const cases = {
    'no-device-state': `${HEAD} 00`,
    // Its payload holds what looks like its footer and EOF.
    'device-state-unclear': `${HEAD} 04 00000000 01 74 00000000 00000001 7e 00000000 00 01 7e 00000000 00`,
  };
  for (const [code, hex] of Object.entries(cases)) t.match(await codeOf(machineOf(fromHex(hex))), { code });
  // A package whose device holds what looks like its footer and RUN: 12 bytes are left behind it.
  const state = '7e 00000000  08 0005 0000  0102 7e 00000000';
  const blob = `08 0004 0000  04 00000000 01 74 00000000 00000001 ${state}  08 0005 0000`;
  const length = fromHex(blob).length.toString(16).padStart(8, '0');
  const packaged = await codeOf(machineOf(fromHex(`${HEAD} 08 0007 0004 ${length} ${blob}`)));
  t.match(packaged, { code: 'device-state-unclear', message: /found 12 bytes behind it/ });
});

t.test('sections get other ids where one has that of our RAM', async (t) => {
  const machine = await machineOf(
    fromHex(
      `${HEAD} ${DEVICE.replaceAll('00000000 01 74', '00000002 01 74').replace(/7e 00000000$/, '7e 00000002')} 00`,
    ),
  );
  t.notOk('sectionId' in machine.devices[0]!);
});

t.test('a guest is good only if all of it passed', async (t) => {
  const b1 = readCapture('b1-postcopy-4k-none.c0.fwd');
  const { ram } = await guestOf(false, [0, b1]);
  t.strictSame(
    ram.blocks.map(({ spec }) => spec),
    [{ name: 'ram0', lengthBytes: 16 * 2 ** 20, hostPageBytes: 4096, kind: 'system' }],
  );
  const cut = b1.subarray(0, b1.length - 1);
  t.match(await codeOf(guestOf(false, [0, cut])), { code: 'truncated', stream: 'main', offset: cut.length });
  const refused = readCapture('e1-mismatch-4k-to-2m.c0.fwd');
  t.match(await codeOf(guestOf(false, [0, refused])), { code: 'truncated' });

  const [main, preempt] = [
    readCapture('f1-preempt-4k-bios.c0.fwd'),
    readCapture('f1-preempt-4k-bios.c1.fwd'),
  ];
  const whole = await guestOf(true, [1, preempt], [0, main]);
  t.ok(whole.ram.find('ram0'), 'whatever passed first');
  t.match(await codeOf(guestOf(false, [0, main])), { code: 'page-missing', message: /block 'ram0'/ });
  t.match(await codeOf(guestOf(true, [0, main], [1, preempt.subarray(0, -1)])), { code: 'truncated' });
  t.match(await codeOf(guestOf(false, [1, preempt], [0, main])), { code: 'several-migrations' });
  t.match(await codeOf(guestOf(true, [0, b1], [1, b1])), { code: 'several-migrations' });
});

t.test('a profile that lets a hole through does not let a guest with one through', async (t) => {
  const main = readCapture('f1-preempt-4k-bios.c0.fwd');
  const reading = readGuest(pieces([0, main]), { profile: '7.2', hasPreempt: false });
  t.match(await codeOf(reading), { code: 'page-missing' });
});
