// The push of a whole outgoing migration: pull only and its end, what is known of the guest's writing, and the counts.
import t from 'tap';
import { RamImage } from '../../../src/machine/ram-block.ts';
import type { OutgoingOptions } from '../../../src/source/outgoing.ts';
import { type DriveHooks, OutgoingRig } from '../drive-outgoing.ts';

const PAGE = 4096;
/** A quarter of a batch, so that a batch leaves with each placement page that fills it. */
const UNIT = 128 * 1024;
const UNITS = 16;
const QUIET_NS = 5e8;
const BLOCKS = [{ name: 'pc.ram', lengthBytes: UNITS * UNIT, hostPageBytes: UNIT, kind: 'system' }] as const;

interface Sent {
  readonly class: string;
  readonly unit: number;
}

/** A migration whose pages hold the number of their placement page, so that what was sent can be told by its bytes. */
function makeRig(
  options: Partial<OutgoingOptions>,
  hooks: DriveHooks = {},
): { rig: OutgoingRig; image: RamImage; units(): Sent[]; ask(unit: number): void } {
  const image = RamImage.allocate(BLOCKS, 'present');
  const words = image.blocks[0]!.words(0);
  for (let page = 0; page < (UNITS * UNIT) / PAGE; page += 1)
    words.fill(0xfeed0000 + page, page * 1024, page * 1024 + 2);
  const sent: Sent[] = [];
  const rig: OutgoingRig = new OutgoingRig(image, options, {
    ...hooks,
    onAwait(what) {
      if (what === 'SHUT') rig.receive({ name: 'SHUT', value: 0 });
    },
    onSend(bytes, sendClass) {
      // The last pages leave together with the end of their section.
      if (sendClass !== 'precopy') {
        for (const page of pagesIn(bytes)) {
          if (page % (UNIT / PAGE) === 0) sent.push({ class: sendClass, unit: page / (UNIT / PAGE) });
        }
      }
      hooks.onSend?.(bytes, sendClass);
    },
  });
  const ask = (unit: number) =>
    rig.receive({ name: 'REQ_PAGES_ID', start: unit * UNIT, length: UNIT, block: 'pc.ram' });
  return { rig, image, units: () => sent, ask };
}

/** The pages whose bytes are in there. */
function pagesIn(bytes: Uint8Array): number[] {
  const found: number[] = [];
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= view.length; at += 1) {
    if (view.readUInt16LE(at + 2) !== 0xfeed || view.readUInt32LE(at) !== view.readUInt32LE(at + 4)) continue;
    found.push(view.readUInt16LE(at));
    at += PAGE - 1;
  }
  return found;
}

const numbers = (sent: readonly Sent[], which: 'requested' | 'unasked'): number[] =>
  sent.filter((item) => (item.class === 'requested') === (which === 'requested')).map(({ unit }) => unit);

t.test('none: nothing is sent unasked until nothing was asked for so long, then all', async (t) => {
  const asked = [9, 3, 12];
  const waits: number[] = [];
  const { rig, units, ask } = makeRig(
    { push: { strategy: 'none', quietNs: QUIET_NS } },
    {
      onAwaitRequest(forNs) {
        waits.push(forNs);
        const unit = asked.shift();
        if (unit !== undefined) ask(unit);
      },
    },
  );
  rig.run();
  t.equal(rig.migration.state, 'completed');
  t.strictSame(waits, [QUIET_NS, QUIET_NS, QUIET_NS, QUIET_NS], 'a request begins the time anew');
  t.strictSame(numbers(units(), 'requested'), [9, 3, 12]);
  t.strictSame(numbers(units(), 'unasked'), [0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 13, 14, 15]);
  t.match(rig.migration.pushCounts, { strategy: 'none', requests: 3, requestsFoundSent: 0, starvedNs: 0 });
  const { pullNs } = rig.migration.pushCounts!;
  t.ok(pullNs! > QUIET_NS && pullNs! < QUIET_NS + 1e7, `${pullNs}`);
});

t.test('none: complete without any push when all was asked for', async (t) => {
  let unit = UNITS;
  const { rig, units, ask } = makeRig(
    { push: { strategy: 'none' } },
    {
      onAwaitRequest(forNs) {
        t.equal(forNs, 1e9, 'a second, unless it is told otherwise');
        unit -= 1;
        ask(unit);
      },
    },
  );
  rig.run();
  t.equal(rig.migration.state, 'completed');
  t.strictSame(numbers(units(), 'unasked'), []);
  t.equal(rig.migration.counters.requestedPages, (UNITS * UNIT) / PAGE);
  t.equal(rig.migration.pushCounts!.pullNs, null);
});

t.test('hot-first: by what the log held at each sync of precopy', async (t) => {
  // Each pass sends all, so at the switchover only what the last two syncs found is dirty.
  let hasStopped = false;
  const write = (image: RamImage, ...pages: number[]) => {
    for (const page of pages) image.blocks[0]!.dirtyLog.set(page);
  };
  const { rig, image, units } = makeRig(
    {
      postcopyAfter: { kind: 'passes', count: 2 },
      push: { strategy: 'hot-first' },
    },
    {
      onSend(_bytes, sendClass) {
        if (sendClass !== 'precopy' || hasStopped) return;
        // Unit 5 in both passes; 9, by two of its pages, and 2 in the second.
        write(image, 5 * 32 + 7);
        if (rig.migration.passes.length > 0) write(image, 9 * 32, 9 * 32 + 31, 2 * 32 + 1);
      },
      onStopGuest() {
        hasStopped = true;
        write(image, 14 * 32 + 3, 9 * 32 + 1);
      },
    },
  );
  rig.run();
  t.equal(rig.migration.state, 'completed');
  t.strictSame(numbers(units(), 'unasked'), [9, 14, 5, 2]);
});

t.test('requests that found their page sent, and how long background waited', async (t) => {
  let batches = 0;
  const { rig, units, ask } = makeRig(
    { push: { strategy: 'sequential' } },
    {
      onSend(_bytes, sendClass) {
        if (sendClass === 'control') return;
        batches += 1;
        // 0 has left by now; each of the others goes as a batch of its own, before any other of background.
        if (batches === 1) for (const unit of [0, 12, 13]) ask(unit);
        if (batches === 4) ask(15);
      },
    },
  );
  rig.run();
  t.strictSame(numbers(units(), 'requested'), [12, 13, 15]);
  const counts = rig.migration.pushCounts!;
  t.match(counts, { strategy: 'sequential', requests: 4, requestsFoundSent: 1, pullNs: null });
  // A byte takes a ns here: twice a placement page and its words, and once more.
  const unitNs = UNIT + (UNIT / PAGE) * 8;
  t.equal(counts.longestStarvedNs, 2 * unitNs);
  t.equal(counts.starvedNs, 3 * unitNs);
});

t.test('time for requests behind the last background page is none that background waited', async (t) => {
  let hasAsked = false;
  const { rig, ask } = makeRig(
    { push: { strategy: 'reverse' } },
    {
      onSend(_bytes, sendClass) {
        if (sendClass !== 'control' && !hasAsked) {
          hasAsked = true;
          for (let unit = 0; unit < UNITS; unit += 1) ask(unit);
        }
      },
    },
  );
  rig.run();
  t.match(rig.migration.pushCounts, { requests: UNITS, starvedNs: 0, longestStarvedNs: 0 });
  t.ok(rig.migration.pushCounts!.requestsFoundSent! > 0);
});

t.test('a migration that stays precopy has no counts', async (t) => {
  const { rig } = makeRig({ postcopyRam: false, push: { strategy: 'forward' } });
  rig.run();
  t.equal(rig.migration.pushCounts, undefined);
});
