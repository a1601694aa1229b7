// The main channel: any split decodes the same, any bytes end in a coded error, lengths are not trusted.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { LimitError, MigrationError } from '../../src/errors.ts';
import { encodeCommand } from '../../src/protocol/commands.ts';
import { StreamDissector } from '../../src/protocol/dissect.ts';
import { toLines } from '../../src/protocol/dissection-lines.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { PROFILES } from '../../src/protocol/profile.ts';
import {
  encodeEos,
  encodeRamList,
  encodeRecordHead,
  encodeZeroRecord,
  RAM_FLAG,
} from '../../src/protocol/ram-records.ts';
import { encodeHeader, encodeSection } from '../../src/protocol/sections.ts';
import { StreamDecoder, type StreamOptions, type StreamRecord } from '../../src/protocol/stream-decoder.ts';
import { parseHex } from '../conformance/vectors.ts';
import { readCapture } from '../fixtures.ts';
import { SilentSink } from './silent-sink.ts';

const SEED = 20180418;
const OPTIONS = { profile: 'strict', begins: 'sections', stream: 'main' } as const satisfies StreamOptions;

function dissect(pieces: readonly Uint8Array[], begins: 'header' | 'sections'): string[] {
  const lines: string[] = [];
  const dissector = new StreamDissector(
    toLines((line) => lines.push(line)),
    { ...OPTIONS, begins },
  );
  for (const piece of pieces) dissector.push(piece);
  dissector.end();
  return lines;
}

const name = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 20 });
const offset = fc.nat(2 ** 30).map((index) => index * 4096);
const isNamed = fc.boolean();
const ramRecord = fc.oneof(
  fc
    .record({ name, offset, isNamed, fill: fc.nat(255) })
    .map(({ name, offset, isNamed, fill }) => encodeZeroRecord(offset, isNamed ? name : undefined, fill)),
  fc
    .record({ name, offset, isNamed, fill: fc.nat(255) })
    .map(({ name, offset, isNamed, fill }) =>
      joinBytes([
        encodeRecordHead(offset, RAM_FLAG.PAGE, isNamed ? name : undefined),
        new Uint8Array(4096).fill(fill),
      ]),
    ),
);
const section = fc.oneof(
  fc
    .array(ramRecord, { maxLength: 4 })
    .map((records) =>
      joinBytes([
        encodeSection('SECTION_PART', { sectionId: 2 }),
        ...records,
        encodeEos(),
        encodeSection('SECTION_FOOTER', { sectionId: 2 }),
      ]),
    ),
  fc.nat(0xffffffff).map((value) => encodeCommand('PING', { value })),
  fc
    .record({ block: name, starts: fc.array(offset, { minLength: 2, maxLength: 5 }) })
    .map(({ block, starts }) =>
      encodeCommand('POSTCOPY_RAM_DISCARD', {
        version: 0,
        block,
        terminator: 0,
        ranges: starts.map((start) => ({ start, length: 4096 })),
      }),
    ),
  fc
    .record({ name, payload: fc.uint8Array({ maxLength: 30 }) })
    .map(({ name, payload }) =>
      joinBytes([
        encodeSection('SECTION_FULL', { sectionId: 9, idstr: `d${name}`, instanceId: 0, versionId: 1 }),
        payload,
        encodeSection('SECTION_FOOTER', { sectionId: 9 }),
      ]),
    ),
);
const SETUP = joinBytes([
  encodeHeader(),
  encodeSection('CONFIGURATION', { machine: 'none' }),
  encodeSection('SECTION_START', { sectionId: 2, idstr: 'ram', instanceId: 0, versionId: 4 }),
  encodeRamList([{ block: 'm0', length: 0x40000000 }]),
  encodeZeroRecord(0, 'm0'),
  encodeEos(),
  encodeSection('SECTION_FOOTER', { sectionId: 2 }),
]);
const stream = fc
  .array(section, { maxLength: 8 })
  .map((sections) => joinBytes([SETUP, ...sections, encodeSection('EOF', {})]));

t.test('any split decodes the same', async (t) => {
  const splits = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
  fc.assert(
    fc.property(stream, splits, (bytes, fractions) => {
      const ends = fractions.map((fraction) => Math.floor(fraction * bytes.length)).sort((a, b) => a - b);
      const pieces = [0, ...ends].map((start, index) => bytes.slice(start, ends[index] ?? bytes.length));
      const whole = dissect([bytes], 'header');
      assert.match(whole.at(-1)!, / EOF$/);
      assert.deepStrictEqual(dissect(pieces, 'header'), whole);
    }),
    { seed: SEED, numRuns: 300 },
  );
  t.pass('300 streams');
});

/** What came of a decoder that was fed bytes: undefined, or the error that stopped it. */
function outcome(bytes: Uint8Array, options: StreamOptions): unknown {
  const decoder = new StreamDecoder(new SilentSink(), options);
  decoder.extension = true;
  try {
    decoder.push(bytes);
    decoder.end();
  } catch (error) {
    return error;
  }
  return undefined;
}

function assertCoded(error: unknown, lengthBytes: number): void {
  if (error === undefined) return;
  if (!(error instanceof MigrationError)) throw error;
  assert.match(error.code, /^[a-z0-9]+(-[a-z0-9]+)*$/);
  assert.equal(error.stream, 'main');
  assert.ok(error.offset! >= 0 && error.offset! <= lengthBytes, `offset ${error.offset}`);
}

t.test('random bytes end in a coded error that says where', async (t) => {
  const frame = fc.constantFrom(
    ...['01 00000002 03 "ram" 00000000 00000004', '04 00000009 03 "dev" 00000000 00000001', '08 0003 0010'],
    ...[
      '0000000000000010 7e 00000002',
      '7e 00000009',
      '08 0007 0004 00000010',
      '02 00000002',
      '08 0006 0015',
      '00',
    ],
    ...[
      '0000000000000002',
      '0000000000000028',
      '0000000000001004',
      '02 "m0"',
      '08 4851 0004',
      '06 00000002',
      '05',
    ],
  );
  const soup = fc
    .array(fc.oneof(frame.map(parseHex), fc.uint8Array({ maxLength: 24 })), { maxLength: 30 })
    .map(joinBytes);
  fc.assert(
    fc.property(
      soup,
      fc.constantFrom(...PROFILES),
      fc.constantFrom('header', 'sections'),
      (bytes, profile, begins) => {
        assertCoded(outcome(bytes, { ...OPTIONS, profile, begins }), bytes.length);
      },
    ),
    { seed: SEED, numRuns: 20_000 },
  );
  t.pass('20000 inputs');
});

t.test(
  'a changed byte in a captured stream ends in a coded error or another stream, never worse',
  async (t) => {
    const bytes = readCapture('a4-precopy-bios.c0.fwd').subarray(-5000);
    const whole = joinBytes([
      SETUP,
      encodeSection('SECTION_FULL', { sectionId: 0, idstr: 'x', instanceId: 0, versionId: 1 }),
      bytes,
    ]);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const changed = whole.slice();
        changed[at] = value;
        assertCoded(outcome(changed, { ...OPTIONS, begins: 'header' }), changed.length);
      }),
      { seed: SEED, numRuns: 500 },
    );
    t.pass('500 changes');
  },
);

t.test('lengths of 4 GiB allocate nothing', async (t) => {
  const announced = [
    { hex: '5145564d 00000003 07 ffffffff', begins: 'header' as const, code: 'name-too-long' },
    { hex: '00 06 ffffffff', begins: 'sections' as const, code: 'name-too-long' },
    { hex: '08 0007 0004 ffffffff', begins: 'sections' as const, code: 'package-too-large' },
    { hex: '08 0007 0004 04000001', begins: 'sections' as const, code: 'package-too-large' },
  ];
  const before = process.memoryUsage();
  for (const { hex, begins, code } of announced) {
    t.match(outcome(parseHex(hex), { ...OPTIONS, begins }), { name: LimitError.name, code });
  }
  // A package within the limit that never comes costs nothing either.
  t.match(outcome(parseHex('08 0007 0004 04000000 00'), OPTIONS), { code: 'truncated', rule: 'D50' });
  const after = process.memoryUsage();
  t.ok(after.arrayBuffers - before.arrayBuffers < 1024 * 1024, 'less than 1 MiB was taken');
});

t.test('the limit of a package can be set', async (t) => {
  const bytes = parseHex('08 0007 0004 00000010');
  t.match(outcome(bytes, { ...OPTIONS, packageLimitBytes: 15 }), { code: 'package-too-large', offset: 0 });
  t.match(outcome(bytes, { ...OPTIONS, packageLimitBytes: 16 }), { code: 'truncated' });
});

t.test('a stopped decoder ignores what follows, at every split', async (t) => {
  const bytes = parseHex('08 0004 0000 08 0005 0000 08 0002 0004 00000001 ff ff');
  for (let split = 0; split <= bytes.length; split += 1) {
    const names: string[] = [];
    class StoppingSink extends SilentSink {
      override record(record: StreamRecord): void {
        names.push(record.name);
        if (record.name === 'POSTCOPY_RUN') decoder.stop();
      }
    }
    const decoder = new StreamDecoder(new StoppingSink(), { ...OPTIONS, stream: 'package' });
    decoder.push(bytes, 0, split);
    decoder.push(bytes, split);
    decoder.end();
    t.strictSame(names, ['POSTCOPY_LISTEN', 'POSTCOPY_RUN']);
    t.equal(decoder.position, bytes.length);
  }
});

t.test('it can be told when nothing has begun', async (t) => {
  const decoder = new StreamDecoder(new SilentSink(), { ...OPTIONS, begins: 'header' });
  const bytes = parseHex('5145564d 00000003 07 00000000 08 0001 0000 08 0002 0004 00000001 00');
  const idle = [13, 18, 27, 28];
  for (let at = 0; at < bytes.length; at += 1) {
    decoder.push(bytes, at, at + 1);
    t.equal(decoder.isBetweenRecords, idle.includes(at + 1), `behind byte ${at}`);
  }
});

t.test('an error of the sink carries the place of its record', async (t) => {
  class RefusingSink extends SilentSink {
    override record(record: StreamRecord): void {
      if (record.name === 'PING') throw new MigrationError('refused', 'no ping');
    }
    override zeroPage(offset: number): void {
      if (offset === 0x2000) throw new MigrationError('refused', 'no page');
    }
  }
  const run = (hex: string, split: number): unknown => {
    const bytes = parseHex(hex);
    const decoder = new StreamDecoder(new RefusingSink(), OPTIONS);
    try {
      decoder.push(bytes, 0, split);
      decoder.push(bytes, split);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  const ram = '01 00000002 03 "ram" 00000000 00000004 0000000000001002 02 "m0" 00 0000000000002022 00';
  for (let split = 0; split < 14; split += 1) {
    t.match(run('08 0001 0000 08 0002 0004 00000001', split), { code: 'refused', offset: 5, stream: 'main' });
  }
  for (let split = 0; split < 38; split += 1) {
    t.match(run(ram, split), { code: 'refused', offset: 29, stream: 'main' });
  }
});

t.test('after an error it takes nothing more, and says the same again', async (t) => {
  const names: string[] = [];
  class NamingSink extends SilentSink {
    override record(record: StreamRecord): void {
      names.push(record.name);
    }
  }
  const decoder = new StreamDecoder(new NamingSink(), OPTIONS);
  const failed = (action: () => void): unknown => {
    try {
      action();
    } catch (error) {
      return error;
    }
    return undefined;
  };
  const first = failed(() => decoder.push(parseHex('08 0001 0000 09')));
  t.match(first, { code: 'unknown-section-type', offset: 5 });
  t.equal(
    failed(() => decoder.push(parseHex('08 0004 0000'))),
    first,
  );
  t.equal(
    failed(() => decoder.end()),
    first,
  );
  t.strictSame(names, ['OPEN_RETURN_PATH']);
});
