// Records in pieces, written by hand here.
import t from 'tap';
import { RamBlock } from '../../src/machine/ram-block.ts';
import { RecordBatch } from '../../src/source/record-batch.ts';

function block(name: string): RamBlock {
  const made = RamBlock.allocate(
    { name, lengthBytes: 128 * 4096, hostPageBytes: 4096, kind: 'system' },
    'present',
  );
  for (let page = 1; page < 128; page += 1) made.bytes(0).fill(page, page * 4096, (page + 1) * 4096);
  return made;
}

const taken = (batch: RecordBatch) => Buffer.concat(batch.take().pieces);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

t.test('the name with the first page of a block, CONTINUE for the next (S7)', (t) => {
  const [m0, m1] = [block('m0'), block('m1')];
  const batch = new RecordBatch();
  t.equal(batch.appendPage(m0, 1), false);
  t.equal(hex(taken(batch)), `0000000000001008026d30${'01'.repeat(4096)}`);
  t.equal(batch.appendPage(m0, 2), false);
  t.equal(hex(taken(batch)), `0000000000002028${'02'.repeat(4096)}`, 'the name outlives the buffer');
  t.equal(batch.appendPage(m0, 0), true, 'a zero page');
  t.equal(hex(taken(batch)), '000000000000002200');
  batch.appendPage(m1, 0);
  t.equal(hex(taken(batch)), '0000000000000002026d3100');
  batch.appendPage(m0, 0);
  t.equal(hex(taken(batch)), '0000000000000002026d3000', 'each change of block');
  batch.forgetBlock();
  batch.appendPage(m0, 0);
  t.equal(hex(taken(batch)), '0000000000000002026d3000', 'and after the discards');
  t.ok(batch.isEmpty);
  t.end();
});

t.test('page bodies are not copied: they are read when the pieces are written', (t) => {
  const m0 = block('m0');
  const batch = new RecordBatch();
  batch.appendPage(m0, 3);
  const { pieces } = batch.take();
  m0.bytes(0).fill(0x77, 3 * 4096, 4 * 4096);
  t.equal(hex(pieces[1]!), '77'.repeat(4096));
  t.end();
});

t.test('is full at 512 KiB, and takes one more record until then', (t) => {
  const m0 = block('m0');
  const batch = new RecordBatch();
  let pages = 0;
  while (!batch.isFull) batch.appendPage(m0, 1 + (pages++ % 127));
  t.equal(pages, 128);
  const gathered = batch.take();
  t.equal(gathered.lengthBytes, 3 + 128 * (8 + 4096));
  const bytes = Buffer.concat(gathered.pieces);
  t.equal(bytes.length, gathered.lengthBytes);
  t.equal(hex(bytes.subarray(11 + 4096, 11 + 4096 + 9)), '000000000000202802', 'the second record');
  t.ok(batch.hasRoomFor(512 * 1024));
  t.notOk(batch.hasRoomFor(1024 * 1024));
  t.end();
});
