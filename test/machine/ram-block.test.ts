// RAM blocks: their bytes, QEMU's discard rules, and their cost.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { PAGE_STATE } from '../../src/machine/page-state.ts';
import { RamBlock, type RamBlockSpec, RamImage } from '../../src/machine/ram-block.ts';

const K = 1024;
const G = 2 ** 30;
const TP = 4096;

function spec(changes: Partial<RamBlockSpec> = {}): RamBlockSpec {
  return { name: 'pc.ram', lengthBytes: 256 * K, hostPageBytes: 64 * K, kind: 'system', ...changes };
}

/** A target page that no other page equals. */
function pageOf(n: number): Buffer {
  return Buffer.alloc(TP, createHash('sha256').update(`page ${n}`).digest());
}

function receive(block: RamBlock, page: number): void {
  block.copyIn(page * TP, pageOf(page), 0, TP);
  block.received.set(page);
}

t.test('a block that cannot exist is refused', (t) => {
  for (const [why, bad] of [
    ['no name', spec({ name: '' })],
    ['a name of 256 bytes', spec({ name: 'é'.repeat(128) })],
    ['a host page that is no power of two', spec({ hostPageBytes: 12 * K })],
    ['a host page below 4K', spec({ hostPageBytes: 2 * K })],
    ['a host page above 16G', spec({ hostPageBytes: 32 * G, lengthBytes: 32 * G })],
    ['no length', spec({ lengthBytes: 0 })],
    ['a length that is no multiple', spec({ lengthBytes: 96 * K })],
    ['a length that is no number', spec({ lengthBytes: Number.NaN })],
  ] as const) {
    t.throws(() => RamBlock.allocate(bad, 'missing'), { name: 'MemoryMapError', code: 'bad-ram-block' }, why);
  }
  t.throws(() => RamImage.allocate([spec(), spec()], 'missing'), { code: 'bad-ram-block' }, 'a name twice');
  t.end();
});

t.test('bytes are copied in within one target page, and nowhere else', (t) => {
  const block = RamBlock.allocate(spec(), 'missing');
  const chunk = Buffer.concat([Buffer.from('head'), pageOf(1), Buffer.from('tail')]);
  block.copyIn(5 * TP, chunk, 4, 4 + TP);
  t.same(Buffer.from(block.targetPageBytes(5)), pageOf(1));
  t.equal(block.isZeroPage(4) && block.isZeroPage(6), true, 'the neighbours are untouched');

  block.copyIn(7 * TP + 100, new Uint8Array(chunk), 0, 4);
  t.equal(
    Buffer.from(block.targetPageBytes(7)).indexOf('head'),
    100,
    'a part of a page, from a plain Uint8Array',
  );
  block.zeroTargetPage(5);
  t.equal(block.isZeroPage(5), true);
  block.copyIn(0, chunk, 8, 8);

  for (const [why, offset, start, end] of [
    ['across a target page', TP - 1, 0, 2],
    ['beyond the block', 256 * K, 0, 1],
    ['before the block', -1, 0, 1],
    ['beyond the chunk', 0, chunk.length - 1, chunk.length + 1],
    ['backwards', 0, 2, 1],
    ['an offset that is no number', Number.NaN, 0, 1],
  ] as const) {
    t.throws(
      () => block.copyIn(offset, chunk, start, end),
      { name: 'MemoryMapError', code: 'out-of-range' },
      why,
    );
  }
  t.throws(() => block.zeroTargetPage(64), { code: 'out-of-range' });
  t.end();
});

t.test('one byte anywhere makes a page not zero', (t) => {
  const block = RamBlock.allocate(spec(), 'missing');
  const bytes = block.targetPageBytes(3);
  for (let at = 0; at < TP; at += 1) {
    bytes[at] = 0x80;
    if (block.isZeroPage(3)) t.fail(`byte ${at} was overlooked`);
    bytes[at] = 0;
  }
  t.equal(block.isZeroPage(3), true);
  t.end();
});

t.test('the hash is that of the bytes in order', (t) => {
  const block = RamBlock.allocate(spec(), 'missing');
  const bytes = Buffer.alloc(256 * K);
  for (const page of [0, 7, 63]) {
    receive(block, page);
    pageOf(page).copy(bytes, page * TP);
  }
  t.equal(block.hashSha256(), createHash('sha256').update(bytes).digest('hex'));
  t.end();
});

t.test('two threads see one block', (t) => {
  const image = RamImage.allocate([spec(), spec({ name: 'vga.vram', kind: 'device' })], 'missing');
  const other = new RamImage(structuredClone(image.shared));
  receive(image.get('vga.vram'), 9);
  image.get('vga.vram').claim(0);
  t.equal(other.get('vga.vram').received.test(9), true);
  t.same(Buffer.from(other.get('vga.vram').targetPageBytes(9)), pageOf(9));
  t.equal(other.get('vga.vram').claim(0), false, 'only one claims a page');
  t.equal(image.totalBytes, 512 * K);
  t.equal(image.find('pc.bios'), undefined);
  t.throws(() => image.get('pc.bios'), { code: 'unknown-block', message: /pc\.bios.*pc\.ram, vga\.vram/ });
  t.end();
});

t.test('discards are checked in the order of QEMU, and change nothing when refused', (t) => {
  const block = RamBlock.allocate(spec(), 'missing');
  receive(block, 0);
  block.publish(0);
  for (const [why, start, length, code, rule] of [
    ['start unaligned', 4 * K, 64 * K, 'discard-start-unaligned', 'D39'],
    ['negative start', -64 * K, 64 * K, 'discard-start-unaligned', 'D39'],
    ['length unaligned', 0, 4 * K, 'discard-length-unaligned', 'D40'],
    ['overrun', 192 * K, 128 * K, 'discard-overrun', 'D41'],
    ['one host page beyond the end', 256 * K, 64 * K, 'discard-overrun', 'D41'],
    ['start unaligned comes before overrun', 4 * K, 1024 * K, 'discard-start-unaligned', 'D39'],
    ['start unaligned comes before length unaligned', 4 * K, 4 * K, 'discard-start-unaligned', 'D39'],
    ['overrun comes before length unaligned', 192 * K, 68 * K, 'discard-overrun', 'D41'],
    ['start unaligned, length 0', 4 * K, 0, 'discard-start-unaligned', 'D39'],
  ] as const) {
    t.throws(() => block.discardRange(start, length), { name: 'MemoryMapError', code, rule }, why);
  }
  t.throws(
    () => block.discardRange(4 * K, 64 * K),
    { message: /'pc\.ram'.*64K.*0x1000/ },
    'all figures are told',
  );
  t.equal(block.pageState(0), PAGE_STATE.PRESENT);
  t.equal(block.received.test(0), true);
  block.discardRange(0, 0);
  block.discardRange(256 * K, 0);
  t.equal(block.pageState(0), PAGE_STATE.PRESENT, 'length 0 has no effect (D42)');
  t.end();
});

t.test('discarded memory is missing, zero and not received, and its neighbours are kept (D43)', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(63)), fc.nat(3), fc.nat(4), (pages, first, count) => {
      const block = RamBlock.allocate(spec(), 'missing');
      for (const page of pages) receive(block, page);
      for (let hostPage = 0; hostPage < 4; hostPage += 1) block.publish(hostPage);
      const last = Math.min(4, first + count);
      block.discardRange(first * 64 * K, (last - first) * 64 * K);
      for (let page = 0; page < 64; page += 1) {
        const hostPage = Math.floor(page / 16);
        const gone = hostPage >= first && hostPage < last;
        const kept = pages.includes(page) && !gone;
        if (block.received.test(page) !== kept) return false;
        if (!Buffer.from(block.targetPageBytes(page)).equals(kept ? pageOf(page) : Buffer.alloc(TP)))
          return false;
        if ((block.pageState(hostPage) === PAGE_STATE.MISSING) !== gone) return false;
      }
      return true;
    }),
    { seed: 5 },
  );
  t.end();
});

t.test('a block that starts present loses all of its content when discarded', (t) => {
  const block = RamBlock.allocate(spec(), 'present');
  block.copyIn(0, pageOf(1), 0, TP);
  block.discardRange(0, 256 * K);
  t.equal(block.isZeroPage(0), true);
  t.equal(block.received.count(), 0);
  t.end();
});

t.test('a partial host page is dropped, a present one is not', (t) => {
  const block = RamBlock.allocate(spec(), 'missing');
  for (const page of [15, 16, 20, 32]) receive(block, page);
  block.claim(1);
  block.dropPartial(1);
  t.same(
    [15, 16, 20, 32].map((page) => block.received.test(page)),
    [true, false, false, true],
  );
  t.equal(block.isZeroPage(16) && block.isZeroPage(20), true);
  t.same(Buffer.from(block.targetPageBytes(32)), pageOf(32));
  t.equal(block.pageState(1), PAGE_STATE.REQUESTED, 'it is still on its way');
  block.publish(1);
  t.throws(() => block.dropPartial(1), { name: 'StateError', code: 'host-page-present' });
  t.end();
});

t.test('waiting for a page that does not come ends', (t) => {
  const block = RamBlock.allocate(spec(), 'missing');
  t.equal(block.waitWhileMissing(2, 1), false);
  block.publish(2);
  t.equal(block.waitWhileMissing(2, 0), true);
  t.end();
});

t.test('a block larger than 4 GiB costs only what is written', (t) => {
  const before = process.memoryUsage.rss();
  const block = RamBlock.allocate(spec({ lengthBytes: 5 * G, hostPageBytes: G }), 'missing');
  const lastPage = (5 * G) / TP - 1;
  receive(block, lastPage);
  // Word for word, so that a page at the wrong end of a segment shows.
  receive(block, G / TP - 1);
  receive(block, G / TP);
  t.same(Buffer.from(block.targetPageBytes(lastPage)), pageOf(lastPage));
  t.same(Buffer.from(block.targetPageBytes(G / TP - 1)), pageOf(G / TP - 1));
  t.same(Buffer.from(block.targetPageBytes(G / TP)), pageOf(G / TP));
  t.throws(() => block.copyIn(5 * G, pageOf(1), 0, TP), { code: 'out-of-range' });
  t.equal(block.received.nextSet(G / TP + 1), lastPage);
  block.discardRange(4 * G, G);
  t.equal(block.isZeroPage(lastPage), true);
  t.equal(block.received.count(), 2);
  t.ok(process.memoryUsage.rss() - before < 64 * 2 ** 20, 'less than 64 MiB');
  t.end();
});

t.test('states and bitmaps of 8 GiB in 4 KiB pages need less than 16 MiB', (t) => {
  const { shared } = RamBlock.allocate(spec({ lengthBytes: 8 * G, hostPageBytes: 4 * K }), 'missing');
  const overhead = [shared.pageStates, shared.dirtyLog, shared.dirty, shared.sent, shared.received];
  t.ok(overhead.reduce((sum, buffer) => sum + buffer.byteLength, 0) < 16 * 2 ** 20);
  t.end();
});
