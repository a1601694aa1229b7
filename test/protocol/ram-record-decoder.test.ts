// Page records: pages are handed on as views in order, the RAM list is bounded, its page sizes are asked for.
import fc from 'fast-check';
import t from 'tap';
import { joinBytes } from '../../src/protocol/message.ts';
import {
  type PageSizeField,
  RAM_BLOCK_LIMIT,
  RamRecordDecoder,
} from '../../src/protocol/ram-record-decoder.ts';
import {
  encodeEos,
  encodeRamList,
  encodeRecordHead,
  RAM_FLAG,
  type RamListEntry,
  TARGET_PAGE_BYTES,
} from '../../src/protocol/ram-records.ts';
import { parseHex } from '../conformance/vectors.ts';
import { SilentSink } from './silent-sink.ts';

/** Puts pages together as a placer would. */
class PageSink extends SilentSink {
  readonly pages: { block: string; offset: number; bytes: Uint8Array }[] = [];
  lists: (readonly RamListEntry[])[] = [];
  #block = '';

  override selectBlock(name: string): void {
    this.#block = name;
  }

  override page(offset: number): void {
    this.pages.push({ block: this.#block, offset, bytes: new Uint8Array(TARGET_PAGE_BYTES) });
  }

  override pageBytes(input: Uint8Array, start: number, end: number, at: number): void {
    this.pages.at(-1)!.bytes.set(input.subarray(start, end), at);
  }

  override ramList(blocks: readonly RamListEntry[]): void {
    this.lists.push(blocks);
  }
}

function decode(sink: SilentSink, bytes: Uint8Array, ends: readonly number[]): RamRecordDecoder {
  const decoder = new RamRecordDecoder(sink);
  let position = 0;
  for (const end of [...ends, bytes.length]) {
    const piece = bytes.slice(position, end);
    position += decoder.consume(piece, 0, piece.length, position);
  }
  return decoder;
}

const page = (seed: number): Uint8Array =>
  Uint8Array.from({ length: TARGET_PAGE_BYTES }, (_, at) => (seed * 31 + at * 7) % 251);

t.test('pages arrive whole in whatever pieces', async (t) => {
  const offsets = [0x1000, 0x2000, 2 ** 40, 2 ** 53 - 4096, 0x8000_0000, 0x1_0000_1000];
  const bytes = joinBytes([
    ...offsets.flatMap((offset, index) => [
      encodeRecordHead(offset, RAM_FLAG.PAGE, index === 0 ? 'pc.ram' : undefined),
      page(index),
    ]),
    encodeEos(),
  ]);
  const expected = offsets.map((offset, index) => ({ block: 'pc.ram', offset, bytes: page(index) }));
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 10 }), (ends) => {
      const sink = new PageSink();
      const decoder = decode(
        sink,
        bytes,
        ends.sort((a, b) => a - b),
      );
      return (
        decoder.ended &&
        !decoder.isInsideRecord &&
        sink.pages.every(
          ({ block, offset, bytes }, index) =>
            block === 'pc.ram' &&
            offset === expected[index]!.offset &&
            Buffer.compare(bytes, expected[index]!.bytes) === 0,
        ) &&
        sink.pages.length === expected.length
      );
    }),
    { seed: 20180418, numRuns: 300 },
  );
  t.pass('300 splits');
});

t.test('it stops behind EOS and goes on with the block that it knows', async (t) => {
  const sink = new PageSink();
  const decoder = new RamRecordDecoder(sink);
  const bytes = joinBytes([
    encodeRecordHead(0, RAM_FLAG.PAGE, 'm0'),
    page(1),
    encodeEos(),
    Uint8Array.of(0x7e, 0, 0, 0, 2),
  ]);
  t.equal(decoder.consume(bytes, 0, bytes.length, 0), bytes.length - 5);
  t.equal(decoder.ended, true);
  const next = joinBytes([encodeRecordHead(4096, RAM_FLAG.PAGE, undefined), page(2)]);
  t.equal(decoder.consume(next, 0, next.length, 0), next.length);
  t.equal(decoder.ended, false);
  t.strictSame(
    sink.pages.map(({ block, offset }) => [block, offset]),
    [
      ['m0', 0],
      ['m0', 4096],
    ],
  );
});

t.test('it tells what is missing of a page', async (t) => {
  const decoder = new RamRecordDecoder(new SilentSink());
  const bytes = joinBytes([encodeRecordHead(0, RAM_FLAG.PAGE, 'm0'), page(1)]);
  decoder.consume(bytes, 0, bytes.length - 10, 0);
  t.equal(decoder.missingPageBytes, 10);
  t.equal(decoder.isInsideRecord, true);
});

t.test('page sizes of the RAM list: present, absent, guessed', async (t) => {
  const list = [
    { block: 'pc.ram', length: 0x4000_0000, pageSize: 0x20_0000 },
    { block: 'vga.vram', length: 0x100_0000 },
  ];
  class AskedSink extends PageSink {
    asked: ((block: string) => PageSizeField) | undefined;
    override pageSizeField(block: string): { field: PageSizeField; summary: number } {
      return { field: this.asked!(block), summary: 0x20_1000 };
    }
  }
  const bytes = joinBytes([encodeRamList(list), encodeEos()]);
  const ways: ((block: string) => PageSizeField)[] = [
    () => 'guess',
    (block) => (block === 'pc.ram' ? 'present' : 'absent'),
  ];
  for (const asked of ways) {
    for (let split = 0; split <= bytes.length; split += 1) {
      const sink = new AskedSink();
      sink.asked = asked;
      t.ok(decode(sink, bytes, [split]).ended);
      t.strictSame(sink.lists, [list]);
    }
  }
});

t.test('a RAM list of empty blocks ends at the limit', async (t) => {
  const entry = parseHex('01 "a" 0000000000000000');
  const bytes = joinBytes([
    parseHex('0000000000001004'),
    ...Array.from({ length: RAM_BLOCK_LIMIT + 1 }, () => entry),
  ]);
  t.throws(() => decode(new SilentSink(), bytes, []), { name: 'LimitError', code: 'too-many-blocks' });
});
