// What no source would send: changed bytes, noise, lengths beyond every limit, and floods.
import fc from 'fast-check';
import t from 'tap';
import { decodePackage } from '../../src/destination/package-records.ts';
import { MigrationError } from '../../src/errors.ts';
import { PAGE_STATE } from '../../src/machine/page-state.ts';
import { writeBe32, writeBe64 } from '../../src/protocol/bytes.ts';
import { encodeCommand } from '../../src/protocol/commands.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { encodeSection } from '../../src/protocol/sections.ts';
import { IncomingRig, thrownBy } from '../destination/incoming-rig.ts';
import { listRecords } from '../source/list-records.ts';
import { recordTiny, tinyRigOptions } from './recorded-migration.ts';
import { honestSource, type Piece, RUN } from './scripted-source.ts';

const SEED = 20180412;

/** Gives a destination all bytes in pieces, and the end. */
function receive(bytes: Uint8Array, pieceBytes: number): { rig: IncomingRig; error: unknown } {
  const rig = new IncomingRig(tinyRigOptions());
  const error = thrownBy(() => {
    for (let at = 0; at < bytes.length; at += pieceBytes) rig.push(bytes.subarray(at, at + pieceBytes));
    rig.migration.end();
  });
  return { rig, error };
}

/** Bytes of RAM in which a destination that completed differs from the source. */
function differingBytes(rig: IncomingRig, expected: IncomingRig): number {
  let count = 0;
  for (const [index, block] of rig.image!.blocks.entries()) {
    const other = expected.image!.blocks[index]!;
    for (let page = 0; page < block.targetPageCount; page += 1) {
      const [a, b] = [block.targetPageBytes(page), other.targetPageBytes(page)];
      for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) count += 1;
    }
  }
  return count;
}

for (const kind of ['postcopy', 'precopy'] as const) {
  t.test(`one byte of a ${kind} migration changed`, (t) => {
    const { bytes } = recordTiny(kind);
    const honest = receive(bytes, bytes.length).rig;
    t.ok(honest.migration.isComplete);
    const outcomes = new Map<string, number>();
    let flippedData = 0;
    // Page data is nearly all of the stream and any value of it is legal, so half of the changes are elsewhere.
    const isBody = new Uint8Array(bytes.length);
    for (const { bodyOffset } of listRecords(bytes))
      if (bodyOffset !== undefined) isBody.fill(1, bodyOffset, bodyOffset + 4096);
    const frame = [...isBody.keys()].filter((at) => isBody[at] === 0);
    const place = fc.oneof(fc.nat(bytes.length - 1), fc.constantFrom(...frame));
    fc.assert(
      fc.property(fc.noBias(place), fc.noBias(fc.integer({ min: 1, max: 255 })), (at, change) => {
        const changed = bytes.slice();
        changed[at]! ^= change;
        const { rig, error } = receive(changed, 1000);
        if (error !== undefined && !rig.migration.isComplete) {
          if (!(error instanceof MigrationError)) throw error;
          outcomes.set(error.code, (outcomes.get(error.code) ?? 0) + 1);
          rig.migration.fail();
          return;
        }
        // Behind the end of a migration nothing is lost any more.
        if (!rig.migration.isComplete) throw new Error('neither an error nor complete');
        const differing = differingBytes(rig, honest);
        if (differing > 1) throw new Error(`complete with ${differing} wrong bytes`);
        flippedData += differing;
      }),
      { seed: SEED, numRuns: 4000 },
    );
    t.ok(outcomes.size > 5, `errors: ${[...outcomes.keys()].join(', ')}`);
    t.ok(flippedData > 100, `${flippedData} changed a byte of a page, which only the guest can know`);
    t.end();
  });
}

t.test('noise', (t) => {
  const prefixes = [0, 8, 17, 200].map((length) => recordTiny('postcopy').bytes.subarray(0, length));
  fc.assert(
    fc.property(fc.constantFrom(...prefixes), fc.uint8Array({ maxLength: 600 }), (prefix, noise) => {
      const { rig, error } = receive(joinBytes([prefix, noise]), 64);
      if (!(error instanceof MigrationError)) throw new Error(`no coded error: ${String(error)}`);
      if (error.offset === undefined) throw new Error(`${error.code}: no offset`);
      return rig.migration.fail() === 'failed';
    }),
    { seed: SEED, numRuns: 1500 },
  );
  t.end();
});

const PREFIX: readonly Piece[] = honestSource().slice(0, 3);

/** A word with `flags`, then what follows. */
function word(offset: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeBe64(bytes, 0, offset + flags);
  return bytes;
}

function be32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeBe32(bytes, 0, value);
  return bytes;
}

const RAM_START = encodeSection('SECTION_START', { sectionId: 2, idstr: 'ram', instanceId: 0, versionId: 4 });

function listEntry(name: string, length: number): Uint8Array {
  const lengthBytes = new Uint8Array(8);
  writeBe64(lengthBytes, 0, length);
  return joinBytes([Uint8Array.of(name.length), Buffer.from(name), lengthBytes]);
}

t.test('lengths beyond every limit are refused before their bytes are awaited or memory is made', (t) => {
  const start = joinBytes(PREFIX.map(({ bytes }) => bytes));
  const cases: { what: string; bytes: Uint8Array; code: string }[] = [
    {
      what: 'a package of 4 GiB',
      bytes: encodeCommand('PACKAGED', { length: 2 ** 32 - 1 }),
      code: 'package-too-large',
    },
    {
      what: 'a VM block of 2^53 bytes',
      bytes: joinBytes([RAM_START, word(2 ** 53 - 4096, 4), listEntry('pc.ram', 2 ** 53 - 4096)]),
      code: 'bad-ram-block',
    },
    {
      what: 'a RAM list above 2^53',
      bytes: joinBytes([RAM_START, Uint8Array.of(0xff, 0xff, 0, 0, 0, 0, 0, 4)]),
      code: 'integer-too-large',
    },
    {
      what: 'a RAM list of too many blocks',
      bytes: joinBytes([
        RAM_START,
        word(4096 * 5000, 4),
        ...Array.from({ length: 5000 }, (_, index) => listEntry(`b${index}`, 0)),
      ]),
      code: 'too-many-blocks',
    },
    {
      what: 'a RAM list with one block twice',
      bytes: joinBytes([RAM_START, word(32768, 4), listEntry('pc.ram', 16384), listEntry('pc.ram', 16384)]),
      code: 'bad-ram-block',
    },
    {
      what: 'a block that is no multiple of its host page',
      bytes: joinBytes([RAM_START, word(4096, 4), listEntry('pc.ram', 4096)]),
      code: 'bad-ram-block',
    },
    {
      what: 'a block with no name',
      bytes: joinBytes([RAM_START, word(16384, 4), listEntry('', 16384)]),
      code: 'bad-ram-block',
    },
  ];
  for (const { what, bytes, code } of cases) {
    const rig = new IncomingRig(tinyRigOptions());
    const error = thrownBy(() => {
      rig.push(start);
      rig.push(bytes);
    }) as MigrationError;
    t.ok(error instanceof MigrationError, `${what}: ${String(error)}`);
    t.equal(error.code, code, what);
    t.not(error.offset, undefined, `${what}: says where`);
    t.equal(rig.image, undefined, `${what}: no RAM was made`);
  }
  const header = honestSource()[0]!.bytes;
  const rig = new IncomingRig(tinyRigOptions());
  rig.push(header);
  const error = thrownBy(() => rig.push(joinBytes([Uint8Array.of(7), be32(2 ** 32 - 1)])));
  t.match(error, { name: 'LimitError', code: 'name-too-long', offset: 8, stream: 'main' });
  t.end();
});

/** A package of `count` devices that nobody knows, and RUN. */
function manyDevices(count: number): Uint8Array {
  const sections = Array.from({ length: count }, (_, index) => [
    encodeSection('SECTION_FULL', {
      sectionId: index + 3,
      idstr: `dev${index}`,
      instanceId: 0,
      versionId: 1,
    }),
    new Uint8Array(index % 23).fill(0x7e),
    encodeSection('SECTION_FOOTER', { sectionId: index + 3 }),
  ]);
  return joinBytes([...sections.flat(), RUN]);
}

t.test('tens of thousands of small unknown devices', (t) => {
  const records = decodePackage(manyDevices(30_000), 'strict', true);
  const payloads = records.filter((record) => record.name === 'DEVICE_STATE');
  t.equal(payloads.length, 30_000);
  t.ok(payloads.every((record, index) => record.payload.length === index % 23));
  t.throws(() => decodePackage(manyDevices(3), 'strict', false), { code: 'unknown-section', rule: 'D10' });
  t.end();
});

t.test('unknown devices arrive whole at every chunk size', (t) => {
  const start = joinBytes(PREFIX.map(({ bytes }) => bytes));
  const devices = manyDevices(60);
  const stream = joinBytes([
    start,
    devices.subarray(0, devices.length - RUN.length),
    encodeCommand('ENABLE_COLO', {}),
  ]);
  for (let pieceBytes = 1; pieceBytes < 80; pieceBytes += 1) {
    const rig = new IncomingRig({ ...tinyRigOptions(), acceptsUnknownDevices: true });
    const error = thrownBy(() => {
      for (let at = 0; at < stream.length; at += pieceBytes) rig.push(stream.subarray(at, at + pieceBytes));
    });
    t.match(error, { code: 'unsupported-command', offset: stream.length - 5 }, `pieces of ${pieceBytes}`);
    rig.load();
    const lengths = rig.loaded.map((item) => (item.kind === 'device' ? item.device.payload.length : -1));
    t.same(
      lengths,
      Array.from({ length: 60 }, (_, index) => index % 23),
    );
  }
  t.end();
});

t.test('a page is visible only when all of it is there, at any pieces', (t) => {
  const { bytes } = recordTiny('postcopy');
  const honest = receive(bytes, bytes.length).rig;
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 9000 }), (pieceBytes) => {
      const rig = new IncomingRig(tinyRigOptions());
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        rig.push(bytes.subarray(at, at + pieceBytes));
        for (const [index, block] of rig.image?.blocks.entries() ?? []) {
          for (let page = 0; page < block.targetPageCount; page += 1) {
            const hostPage = Math.floor(page / block.targetPagesPerHostPage);
            if (block.pageState(hostPage) !== PAGE_STATE.PRESENT) continue;
            if (rig.migration.tally?.isPostcopy !== true) continue; // precopy may send a page again
            const whole = honest.image!.blocks[index]!.targetPageBytes(page);
            if (Buffer.compare(whole, block.targetPageBytes(page)) !== 0)
              throw new Error(`${block.name}: target page ${page} is visible and not whole`);
          }
        }
      }
      return rig.migration.isComplete;
    }),
    { seed: SEED, numRuns: 30 },
  );
  t.end();
});
