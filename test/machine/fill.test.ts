// What is in RAM at the start.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fillFromFile, fillPattern } from '../../src/machine/fill.ts';
import { RamImage } from '../../src/machine/ram-block.ts';
import { referenceRun } from '../../src/machine/reference.ts';
import { hashes, SMALL_BLOCKS } from './small-guest.ts';

const M = 2 ** 20;

t.test('a pattern has no page twice, and as many zero pages as asked for', (t) => {
  const specs = ['mem0', 'mem1'].map((name) => {
    return { name, lengthBytes: 16 * M, hostPageBytes: 4096, kind: 'system' } as const;
  });
  const image = RamImage.allocate(specs, 'present');
  t.same(fillPattern(image, 3), { kind: 'pattern', seed: 3, zeroPercent: 25 });
  const seen = new Set<string>();
  let zeroPages = 0;
  for (const block of image.blocks) {
    for (let page = 0; page < block.targetPageCount; page += 1) {
      if (block.isZeroPage(page)) zeroPages += 1;
      else seen.add(createHash('sha1').update(block.targetPageBytes(page)).digest('hex'));
    }
  }
  t.equal(seen.size, 8192 - zeroPages);
  t.ok(Math.abs(zeroPages / 8192 - 0.25) < 0.03, `${zeroPages} of 8192`);
  t.end();
});

t.test('the same seed gives the same RAM, another one another', (t) => {
  const filled = (seed: number, zeroPercent?: number) => {
    const image = RamImage.allocate(SMALL_BLOCKS, 'present');
    fillPattern(image, seed, zeroPercent);
    return hashes(image);
  };
  t.same(filled(3), filled(3));
  t.not(filled(3)['pc.ram'], filled(4)['pc.ram']);
  t.not(filled(3)['pc.ram'], filled(3, 50)['pc.ram']);
  t.same(filled(3, 100), hashes(RamImage.allocate(SMALL_BLOCKS, 'present')));
  t.end();
});

t.test('a file goes into the system blocks one after the other', (t) => {
  const specs = [
    { name: 'mem0', lengthBytes: 8192, hostPageBytes: 4096, kind: 'system' },
    { name: 'vga.vram', lengthBytes: 8192, hostPageBytes: 4096, kind: 'device' },
    { name: 'mem1', lengthBytes: 8192, hostPageBytes: 4096, kind: 'system' },
  ] as const;
  const path = join(t.testdir(), 'ram');
  const content = Buffer.from(Array.from({ length: 16384 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
  const load = (lengthBytes: number) => {
    writeFileSync(path, content.subarray(0, lengthBytes));
    const image = RamImage.allocate(specs, 'present');
    return { image, fill: fillFromFile(image, path) };
  };

  const { image, fill } = load(10_000);
  const sha256 = createHash('sha256').update(content.subarray(0, 10_000)).digest('hex');
  t.same(fill, { kind: 'file', sha256, lengthBytes: 10_000 });
  t.same(Buffer.from(image.get('mem0').bytes(0)), content.subarray(0, 8192));
  const rest = Buffer.concat([content.subarray(8192, 10_000), Buffer.alloc(16384 - 10_000)]);
  t.same(Buffer.from(image.get('mem1').bytes(0)), rest, 'the rest is zero');
  t.equal(image.get('vga.vram').isZeroPage(0), true);

  const guest = { blocks: specs, fill, vcpus: [], counts: [] };
  t.same(referenceRun({ ...guest, ramImagePath: path }), hashes(image));
  t.throws(() => referenceRun(guest), { code: 'reference-mismatch' });
  t.equal((load(16384).fill as { lengthBytes: number }).lengthBytes, 16384, 'exactly full');
  t.throws(
    () => referenceRun({ ...guest, ramImagePath: path }),
    { code: 'reference-mismatch' },
    'another file',
  );
  const fresh = RamImage.allocate(specs, 'present');
  const tooLarge = { name: 'OptionError', code: 'ram-image-too-large' };
  writeFileSync(path, Buffer.alloc(16385, 1));
  t.throws(() => fillFromFile(fresh, path), tooLarge);
  t.equal(fresh.get('mem0').isZeroPage(0), true, 'refused before it is read');
  t.throws(() => fillFromFile(fresh, '/dev/zero'), tooLarge, 'a file that does not tell its length');
  t.throws(() => fillFromFile(image, join(path, 'none')), { code: 'ram-image-unreadable' });
  t.throws(() => fillFromFile(image, t.testdirName), { code: 'ram-image-unreadable' }, 'a directory');
  t.end();
});

t.test('a reference that does not fit its guest is refused', (t) => {
  const fill = { kind: 'pattern', seed: 1, zeroPercent: 0 } as const;
  t.throws(() => referenceRun({ blocks: SMALL_BLOCKS, fill, vcpus: [], counts: [1] }), {
    code: 'reference-mismatch',
  });
  t.end();
});
