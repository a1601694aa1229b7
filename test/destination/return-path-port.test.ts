// Several threads write whole messages to one return path, and REQ_PAGES always means the block named before it.
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { ReturnPathPort } from '../../src/destination/return-path-port.ts';
import { ReturnPathDecoder, type ReturnPathRecord } from '../../src/protocol/return-path-decoder.ts';
import { encodeReturnPath } from '../../src/protocol/return-path-messages.ts';

function decode(bytes: Uint8Array): ReturnPathRecord[] {
  const records: ReturnPathRecord[] = [];
  const decoder = new ReturnPathDecoder((record) => records.push(record), { profile: 'strict' });
  decoder.push(bytes);
  decoder.end();
  return records;
}

t.test('two threads and this one, on one descriptor', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'postcopy-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'return-path');
  const descriptor = openSync(path, 'a');
  const port = ReturnPathPort.allocate(() => t.fail('handed over'));
  port.open(descriptor);
  const COUNT = 2000;
  const workers = [0, 1].map(
    (blockIndex) =>
      new Worker(new URL('./writing-thread.js', import.meta.url), {
        workerData: { shared: port.shared, blockIndex, count: COUNT },
        execArgv: [],
      }),
  );
  for (let index = 0; index < 200; index += 1) port.send(encodeReturnPath('PONG', { value: index }));
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
  closeSync(descriptor);
  const next = new Map<string, number>([
    ['block-0', 0],
    ['block-1', 0],
  ]);
  let block = '';
  let names = 0;
  const wrong: string[] = [];
  for (const record of decode(readFileSync(path))) {
    if (record.name !== 'REQ_PAGES_ID' && record.name !== 'REQ_PAGES') continue;
    if (record.name === 'REQ_PAGES_ID') {
      if (record.block === block) wrong.push(`${block} named again`);
      block = record.block;
      names += 1;
    }
    if (record.start !== next.get(block)! * 4096) wrong.push(`${block} ${record.start}`);
    next.set(block, next.get(block)! + 1);
  }
  t.same(wrong, [], 'each request means the block that was named last');
  t.same([...next.values()], [COUNT, COUNT]);
  t.ok(names >= 2);
});

t.test('without a descriptor it hands over, and then each request names its block', async (t) => {
  const handed: Uint8Array[] = [];
  const port = ReturnPathPort.allocate((bytes) => void handed.push(bytes));
  port.request(0, 'pc.ram', 0, 4096);
  port.request(0, 'pc.ram', 4096, 4096);
  t.same(
    handed.flatMap(decode).map(({ name }) => name),
    ['REQ_PAGES_ID', 'REQ_PAGES_ID'],
  );
  port.open(1_000_000);
  t.throws(() => port.request(0, 'pc.ram', 0, 4096), { name: 'TransportError', code: 'return-path-broken' });
  port.close();
  port.request(1, 'vga.vram', 0, 4096);
  t.equal(handed.length, 3, 'the lock was let go, and after close nothing is written');
});

t.test('nothing is asked for behind the last message', async (t) => {
  const handed: Uint8Array[] = [];
  const port = ReturnPathPort.allocate((bytes) => void handed.push(bytes));
  const late = new ReturnPathPort(port.shared, (bytes) => void handed.push(bytes));
  t.equal(late.request(0, 'pc.ram', 0, 4096), true);
  port.sendLast(encodeReturnPath('SHUT', { value: 0 }));
  t.equal(late.request(0, 'pc.ram', 4096, 4096), false);
  t.same(
    handed.flatMap(decode).map(({ name }) => name),
    ['REQ_PAGES_ID', 'SHUT'],
  );
});
