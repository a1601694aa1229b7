// Every stream that was captured from QEMU decodes, in pieces of any size, to the records that its README entry tells.
import { createHash } from 'node:crypto';
import t from 'tap';
import { RamRecordDecoder } from '../../src/protocol/ram-record-decoder.ts';
import { TARGET_PAGE_BYTES } from '../../src/protocol/ram-records.ts';
import { ReturnPathDecoder } from '../../src/protocol/return-path-decoder.ts';
import { StreamDecoder, type StreamRecord } from '../../src/protocol/stream-decoder.ts';
import { readCapture, readText } from '../fixtures.ts';
import { SilentSink } from './silent-sink.ts';

const PIECE_SIZES = [61, 4096, 65_537, Number.POSITIVE_INFINITY];

class CountingSink extends SilentSink {
  pageCount = 0;
  zeroCount = 0;
  readonly deviceBytes = new Map<string, number>();
  description = '';
  readonly #hash = createHash('sha256');
  readonly #page = new Uint8Array(TARGET_PAGE_BYTES);

  override record(record: StreamRecord, offset: number, lengthBytes: number): void {
    super.record(record, offset, lengthBytes);
    if (record.name === 'VMDESCRIPTION') this.description = record.json;
    if (record.name === 'DEVICE_STATE') {
      this.deviceBytes.set(`${record.idstr} ${record.instanceId}`, record.payload.length);
    }
  }

  override selectBlock(name: string): void {
    this.#hash.update(name);
  }

  override page(offset: number): void {
    this.pageCount += 1;
    this.#hash.update(String(offset));
  }

  override pageBytes(input: Uint8Array, start: number, end: number, at: number): void {
    this.#page.set(input.subarray(start, end), at);
    if (at + end - start === TARGET_PAGE_BYTES) this.#hash.update(this.#page);
  }

  override zeroPage(offset: number): void {
    this.zeroCount += 1;
    this.#hash.update(String(-offset));
  }

  contentHash(): string {
    return this.#hash.digest('hex');
  }
}

function* pieces(bytes: Uint8Array, pieceBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

function openMain(sink: CountingSink): StreamDecoder {
  return new StreamDecoder(sink, { profile: '7.2', begins: 'header', stream: 'main' });
}

/** What the README tells of each capture. */
const entries = readText('test/fixtures/captures/README.md')
  .split(/^### /m)
  .slice(1)
  .map((entry) => {
    const tell = (pattern: RegExp): string[] => pattern.exec(entry)?.slice(1) ?? [];
    const [pageCount, zeroCount, remark] = tell(
      /Main stream: (\d+) pages with data, (\d+) zero pages( \(stream cut off by the failure\))?/,
    );
    const [urgentPageCount, urgentZeroCount] = tell(/c1: (\d+) data, (\d+) zero/);
    const replies: Record<string, number> = Object.fromEntries(
      [...(tell(/Return path: (.*)\.$/m)[0] ?? '').matchAll(/(\d+) x (\w+)/g)].map(([, count, name]) => [
        name,
        Number(count),
      ]),
    );
    return {
      name: entry.slice(0, entry.indexOf('\n')),
      pageCount: Number(pageCount),
      zeroCount: Number(zeroCount),
      isCutOff: remark !== undefined,
      urgent: urgentPageCount && { pageCount: Number(urgentPageCount), zeroCount: Number(urgentZeroCount) },
      replies,
    };
  });

t.equal(entries.length, 14, 'the README tells of all captures');

for (const { name, pageCount, zeroCount, isCutOff, urgent, replies } of entries) {
  t.test(`${name}: main`, async (t) => {
    const bytes = readCapture(`${name}.c0.fwd`);
    const hashes = new Set<string>();
    for (const size of PIECE_SIZES) {
      const sink = new CountingSink();
      const decoder = openMain(sink);
      for (const piece of pieces(bytes, size)) decoder.push(piece);
      t.equal(decoder.position, bytes.length);
      t.equal(decoder.hasEnded, !isCutOff);
      if (isCutOff) t.throws(() => decoder.end(), { code: 'truncated', offset: bytes.length });
      else decoder.end();
      t.strictSame([sink.pageCount, sink.zeroCount], [pageCount, zeroCount], `pages in pieces of ${size}`);
      hashes.add(sink.contentHash());
    }
    t.equal(hashes.size, 1, 'the same pages with the same content');
  });

  t.test(`${name}: return path`, async (t) => {
    for (const size of [1, 7, Number.POSITIVE_INFINITY]) {
      const names: string[] = [];
      const decoder = new ReturnPathDecoder((record) => names.push(record.name), { profile: '7.2' });
      for (const piece of pieces(readCapture(`${name}.c0.ret`), size)) decoder.push(piece);
      decoder.end();
      const counts = Object.entries(replies).map(([reply]) => [
        reply,
        names.filter((n) => n === reply).length,
      ]);
      t.strictSame(Object.fromEntries(counts), replies);
      t.equal(
        names.length,
        Object.values(replies).reduce((sum, count) => sum + count, 0),
        'nothing else',
      );
    }
  });

  if (!urgent) continue;
  t.test(`${name}: preempt channel`, async (t) => {
    const bytes = readCapture(`${name}.c1.fwd`);
    for (const size of PIECE_SIZES) {
      const sink = new CountingSink();
      const decoder = new RamRecordDecoder(sink);
      let position = 0;
      for (const piece of pieces(bytes, size)) {
        position += decoder.consume(piece, 0, piece.length, position);
        if (decoder.ended) break;
      }
      t.ok(decoder.ended, 'with EOS at its end');
      t.notOk(decoder.isInsideRecord);
      t.equal(position, bytes.length);
      t.match(sink, urgent);
    }
    t.equal(readCapture(`${name}.c1.ret`).length, 0, 'nothing comes back on it');
  });
}

interface Described {
  readonly name: string;
  readonly instance_id: number;
  readonly vmsd_name: string;
  readonly fields: readonly { readonly size: number; readonly array_len?: number }[];
  readonly subsections?: readonly Described[];
}

/** Length in bytes that QEMU's own description gives to a device's state. */
function describedBytes(device: Described): number {
  const fieldBytes = device.fields.reduce((sum, { size, array_len: count = 1 }) => sum + size * count, 0);
  const subsectionBytes = (device.subsections ?? []).map(
    (subsection) => 1 + 1 + subsection.vmsd_name.length + 4 + describedBytes(subsection),
  );
  return subsectionBytes.reduce((sum, lengthBytes) => sum + lengthBytes, fieldBytes);
}

t.test('the footer search finds the sizes that the VM description tells', async (t) => {
  const sink = new CountingSink();
  const decoder = openMain(sink);
  for (const piece of pieces(readCapture('a4-precopy-bios.c0.fwd'), 1000)) decoder.push(piece);
  const { devices } = JSON.parse(sink.description) as { devices: readonly Described[] };
  t.equal(devices.length, 15);
  const expected = devices.map((device): [string, number] => [
    `${device.name} ${device.instance_id}`,
    describedBytes(device),
  ]);
  t.strictSame([...sink.deviceBytes], expected);
});
