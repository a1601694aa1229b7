// Requested pages beside the background: a channel of their own, and bounds to what is under way on one.
import t from 'tap';
import { RamImage } from '../../src/machine/ram-block.ts';
import { hex } from '../../src/protocol/bytes.ts';
import { PreemptDissector } from '../../src/protocol/dissect-preempt.ts';
import type { OutgoingOptions } from '../../src/source/outgoing.ts';
import { guestDevices } from '../adversary/recorded-migration.ts';
import { type DriveHooks, OutgoingRig } from './drive-outgoing.ts';
import { outline } from './list-records.ts';

const K = 1024;
/** Two huge pages of 1 MiB, and a block of small ones. */
const BLOCKS = [
  { name: 'pc.ram', lengthBytes: 2048 * K, hostPageBytes: 1024 * K, kind: 'system' },
  { name: 'vga.vram', lengthBytes: 8 * K, hostPageBytes: 4 * K, kind: 'device' },
] as const;

function fullImage(): RamImage {
  const image = RamImage.allocate(BLOCKS, 'present');
  for (const block of image.blocks)
    for (let page = 0; page < block.targetPageCount; page += 1) block.words(0)[1024 * page] = page + 1;
  return image;
}

/** Values of the PINGs that were sent among the pages. */
function flightPings(rig: OutgoingRig): number[] {
  return outline(rig.bytes)
    .filter((words) => /^PING 0x1[0-9a-f]{2}$/.test(words))
    .map((words) => Number(words.slice('PING '.length)));
}

/** A source whose PINGs among the pages are answered only when it waits for that. */
function rigFor(options: Partial<OutgoingOptions>, hooks: DriveHooks = {}): OutgoingRig {
  const answered = new Set<number>();
  const rig: OutgoingRig = new OutgoingRig(fullImage(), options, {
    onAwait(what) {
      if (what === 'SHUT') {
        rig.receive({ name: 'SHUT', value: 0 });
        return;
      }
      for (const value of [1, ...flightPings(rig)].filter((value) => !answered.has(value))) {
        answered.add(value);
        rig.receive({ name: 'PONG', value });
      }
    },
    ...hooks,
  });
  rig.devices = guestDevices(BLOCKS);
  return rig;
}

/** The names of the records of a preempt channel. */
function preemptRecords(bytes: Uint8Array): string[] {
  const list: string[] = [];
  const dissector = new PreemptDissector({
    entry: (entry) => list.push(entry.kind === 'record' ? entry.name : entry.error.message),
    pageEnd: () => undefined,
  });
  dissector.push(bytes);
  return list;
}

const request = (rig: OutgoingRig, block: string, start: number, length: number): void =>
  rig.receive({ name: 'REQ_PAGES_ID', block, start, length });

/** The steps with pages, as runs of `channel/class`. */
function runs(rig: OutgoingRig): string[] {
  const names = rig.sent
    .filter((step) => step.class !== 'control')
    .map((step) => `${step.channel}/${step.class}`);
  return names.filter((name, index) => name !== names[index - 1]);
}

t.test(
  'a request interrupts a background huge page and is sent whole on the preempt channel (S40, S42)',
  async (t) => {
    let count = 0;
    const rig: OutgoingRig = rigFor(
      { preempt: 'at-setup' },
      {
        onSend(bytes, sendClass) {
          if (sendClass !== 'background') return;
          count += 1;
          t.ok(bytes.length <= 72 * K, 'small batches, so that a request is seen soon');
          if (count === 2) request(rig, 'pc.ram', 1024 * K, 1024 * K);
          if (count === 4) request(rig, 'vga.vram', 4 * K, 4 * K);
        },
      },
    );
    rig.run((step) => step.do !== 'send' || rig.isPreemptOpen);
    t.equal(rig.migration.state, 'completed', 'the preempt channel was open before the first byte');
    t.same(runs(rig), [
      'main/background',
      'preempt/requested',
      'main/background',
      'preempt/requested',
      'main/background',
    ]);
    const main = outline(rig.bytes).filter((words) => words.startsWith('page '));
    t.same(
      main,
      [...Array.from({ length: 256 }, (_, page) => `page pc.ram ${hex(page * 4 * K)}`), 'page vga.vram 0x0'],
      'main goes on with the page that it had begun',
    );
    const preempt = preemptRecords(rig.bytesOn('preempt'));
    t.equal(preempt.filter((words) => words === 'PAGE').length, 256 + 1);
    t.equal(preempt.at(-1), 'EOS', 'EOS ends the channel');
    t.match(rig.migration.counters, { requestedPages: 257, backgroundPages: 257 });
    t.equal(rig.migration.counters.wireBytes, rig.bytes.length + rig.bytesOn('preempt').length);
  },
);

t.test('told not to, it finishes the huge page first', async (t) => {
  let count = 0;
  const rig: OutgoingRig = rigFor(
    { preempt: 'at-setup', breaksHugePages: false },
    {
      onSend(_bytes, sendClass) {
        if (sendClass === 'background' && ++count === 2) request(rig, 'pc.ram', 1024 * K, 1024 * K);
      },
    },
  );
  rig.run();
  t.same(runs(rig), ['main/background', 'main/requested', 'preempt/requested']);
  t.equal(
    rig.sent.findIndex((step) => step.channel === 'preempt') -
      rig.sent.findIndex((step) => step.class === 'background'),
    16,
    'all batches of the first page',
  );
});

t.test('a request for the page that is under way on main is finished there', async (t) => {
  let count = 0;
  const rig: OutgoingRig = rigFor(
    { preempt: 'at-setup' },
    {
      onSend(_bytes, sendClass) {
        if (sendClass === 'background' && ++count === 2) request(rig, 'pc.ram', 0, 1024 * K);
      },
    },
  );
  rig.run();
  t.same(runs(rig), ['main/background', 'main/requested', 'main/background']);
  t.same(preemptRecords(rig.bytesOn('preempt')), ['EOS'], 'nothing but its end');
  t.match(rig.migration.counters, { requestedPages: 256, backgroundPages: 256 + 2 });
});

t.test('10.x opens it at the switchover, after a PONG, and ends it without EOS (S41)', async (t) => {
  const order: string[] = [];
  const rig: OutgoingRig = rigFor(
    { preempt: 'at-switchover', postcopyAfter: { kind: 'passes', count: 1 } },
    {
      onSend: (_bytes, sendClass) => {
        if (sendClass === 'precopy') rig.image.blocks[0]!.dirtyLog.set(4);
        order.push(sendClass);
      },
      onStopGuest: () => order.push('stop'),
    },
  );
  rig.run((step) => {
    if (step.do === 'open-preempt') order.push('open');
    if (step.do === 'await-return-path') order.push(`await ${step.what}`);
    return true;
  });
  t.ok(order.indexOf('open') > order.lastIndexOf('precopy'));
  t.same(order.slice(order.indexOf('open') - 1, order.indexOf('open') + 2), ['await PONG', 'open', 'stop']);
  t.equal(rig.bytesOn('preempt').length, 0);
  t.equal(rig.migration.state, 'completed');
});

t.test('on one channel the background waits for PONGs, a request does not', async (t) => {
  const events: string[] = [];
  let hasAsked = false;
  const rig: OutgoingRig = rigFor(
    { flight: 256 * K },
    {
      onSend(_bytes, sendClass) {
        if (sendClass === 'background' || sendClass === 'requested') events.push(sendClass);
      },
    },
  );
  rig.run((step) => {
    if (step.do === 'await-return-path' && step.what === 'PONG') {
      events.push('wait');
      if (!hasAsked) {
        hasAsked = true;
        request(rig, 'vga.vram', 4 * K, 4 * K);
        t.equal(step.isHere(), true, 'a request ends the wait');
      }
    }
    return true;
  });
  t.equal(rig.migration.state, 'completed');
  const first = events.indexOf('wait');
  t.same(events.slice(0, first), Array(4).fill('background'));
  t.same(
    events.slice(first + 1, first + 15),
    [...Array(12).fill('requested'), 'requested', 'background'],
    'the rest of the huge page, which the request must wait for, and then its own page',
  );
  t.ok(events.filter((name) => name === 'wait').length >= 4, 'and so on');
  const pings = flightPings(rig);
  t.same(
    pings,
    Array.from(pings, (_, index) => 0x100 + index),
  );
  const records = outline(rig.bytes);
  const at = records.indexOf('PING 0x100');
  t.same(records.slice(at - 2, at + 2), ['EOS', 'SECTION_FOOTER', 'PING 0x100', 'SECTION_PART']);
  t.match(records[at + 2], /^page pc\.ram/, 'the host page goes on, its block is not named again');
  t.equal(new Set(records.filter((words) => words.startsWith('page '))).size, 512 + 2, 'each page once');
});
