// Two threads share the placement pages of a migration: each is sent once, by the one that claims it first.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { RamImage } from '../../src/machine/ram-block.ts';
import { CLAIMANT, PageClaims } from '../../src/source/page-claims.ts';
import { PageOrder } from '../../src/source/page-order.ts';
import { unitOf } from '../../src/source/page-unit.ts';
import type { ClaimingThreadData } from './claiming-thread.ts';

const K = 1024;

t.test('who claims first has it, and keeps it', async (t) => {
  const image = RamImage.allocate(
    [{ name: 'pc.ram', lengthBytes: 128 * K, hostPageBytes: 16 * K, kind: 'system' }],
    'present',
  );
  const block = { ram: image.blocks[0]!, placementPageBytes: 16 * K };
  const claims = PageClaims.allocate([block]);
  const other = new PageClaims([block], claims.shared);
  const first = unitOf(block, 5, true);
  t.equal(claims.take(first, CLAIMANT.MAIN), true);
  t.equal(other.take(first, CLAIMANT.PREEMPT), false, 'the other thread comes too late');
  t.equal(claims.take(first, CLAIMANT.MAIN), true, 'its own claim stands');
  t.same(
    [3, 4, 7, 8].map((page) => other.has(block, page, CLAIMANT.MAIN)),
    [false, true, true, false],
    'a claim is for all target pages of a placement page',
  );
  const second = unitOf(block, 8, false);
  t.equal(other.take(second, CLAIMANT.PREEMPT), true);
  t.equal(claims.take(second, CLAIMANT.MAIN), false, 'the same the other way round');
});

t.test('two threads that claim all pages at once get each page once', async (t) => {
  const image = RamImage.allocate(
    [{ name: 'pc.ram', lengthBytes: 64 * K * K, hostPageBytes: 4 * K, kind: 'system' }],
    'present',
  );
  const placementPageBytes = 4 * K;
  const claims = PageClaims.allocate([{ ram: image.blocks[0]!, placementPageBytes }]);
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const entry = new URL('./claiming-thread.js', import.meta.url);
  const threads = [CLAIMANT.MAIN, CLAIMANT.PREEMPT].map((claimant) => {
    const workerData: ClaimingThreadData = {
      ram: image.shared,
      placementPageBytes,
      claims: claims.shared,
      claimant,
      gate,
    };
    return new Worker(entry, { workerData });
  });
  const answers = threads.map((thread) => once(thread, 'message'));
  await Promise.all(threads.map((thread) => once(thread, 'online')));
  const taken = (await Promise.all(answers)).map(([pages]) => pages as Uint8Array);
  let wrong = 0;
  for (let page = 0; page < 16 * K; page += 1) {
    if (taken[0]![page]! + taken[1]![page]! !== 1) wrong += 1;
  }
  t.equal(wrong, 0, 'no page twice, and none left out');
});

t.test('the order leaves out what another thread has just claimed, and claims what it gives', async (t) => {
  const image = RamImage.allocate(
    [{ name: 'pc.ram', lengthBytes: 32 * K, hostPageBytes: 8 * K, kind: 'system' }],
    'present',
  );
  const block = { ram: image.blocks[0]!, placementPageBytes: 8 * K };
  block.ram.dirty.setRange(0, 8);
  const claims = PageClaims.allocate([block]);
  const order = new PageOrder([block], undefined, { claims });
  // Claimed, but not yet clean: the other thread is about to send them.
  claims.take(unitOf(block, 0, true), CLAIMANT.PREEMPT);
  claims.take(unitOf(block, 4, true), CLAIMANT.PREEMPT);
  t.equal(order.nextBackground()?.firstPage, 2);
  t.equal(
    claims.take(unitOf(block, 2, true), CLAIMANT.PREEMPT),
    false,
    'it is under way on the main channel',
  );
  order.request('pc.ram', 4 * 4 * K, 16 * K);
  t.equal(order.nextRequested()?.firstPage, 6, 'of a request too, the rest alone');
  t.equal(claims.take(unitOf(block, 6, true), CLAIMANT.PREEMPT), false);
  t.equal(order.foundSentCount, 0);
  t.equal(block.ram.dirty.test(0), false, 'and nothing of it is left to be sent here');
  t.equal(block.ram.dirty.test(4), false);
});
