// What a viewer may ask of a source that is sending: postcopy now, and no push for a while.
import t from 'tap';
import { RamImage } from '../../src/machine/ram-block.ts';
import type { OutgoingOptions } from '../../src/source/outgoing.ts';
import { guestDevices } from '../adversary/recorded-migration.ts';
import { type DriveHooks, OutgoingRig } from './drive-outgoing.ts';
import { outline } from './list-records.ts';

const K = 1024;
const BLOCKS = [
  { name: 'pc.ram', lengthBytes: 4096 * K, hostPageBytes: 4 * K, kind: 'system' },
  { name: 'vga.vram', lengthBytes: 8 * K, hostPageBytes: 4 * K, kind: 'device' },
] as const;

function rigFor(options: Partial<OutgoingOptions>, hooks: DriveHooks = {}): OutgoingRig {
  const image = RamImage.allocate(BLOCKS, 'present');
  for (const block of image.blocks)
    for (let page = 0; page < block.targetPageCount; page += 1) block.words(0)[1024 * page] = page + 1;
  const rig: OutgoingRig = new OutgoingRig(image, options, {
    onAwait(what) {
      if (what === 'SHUT') rig.receive({ name: 'SHUT', value: 0 });
      else rig.receive({ name: 'PONG', value: 1 });
    },
    ...hooks,
  });
  rig.devices = guestDevices(BLOCKS);
  return rig;
}

t.test('a switch ends the pass under way, and the rest is sent after the switchover', async (t) => {
  let batches = 0;
  const rig = rigFor(
    { postcopyAfter: { kind: 'never' } },
    {
      onSend(_bytes, sendClass) {
        if (sendClass !== 'precopy') return;
        batches += 1;
        if (batches === 2) rig.migration.switchNow();
      },
    },
  );
  rig.run();
  t.equal(rig.migration.state, 'completed');
  const { precopyPages, backgroundPages } = rig.migration.counters;
  t.ok(precopyPages > 0 && precopyPages < 1026, `${precopyPages} before`);
  t.equal(precopyPages + backgroundPages, 1026, 'each page once');
  const records = outline(rig.bytes);
  t.ok(
    records.some((words) => words.includes('DISCARD')),
    'and a destination can read it',
  );
  t.notOk(rig.migration.maySwitch);
});

t.test('without postcopy there is nothing to switch to', async (t) => {
  const rig = rigFor(
    { postcopyAfter: { kind: 'never' }, postcopyRam: false },
    { onSend: () => rig.migration.switchNow() },
  );
  rig.run();
  t.equal(rig.migration.state, 'completed');
  t.equal(rig.migration.counters.precopyPages, 1026);
});

for (const preempt of ['none', 'at-setup'] as const) {
  t.test(`a paused push, preempt ${preempt}: requests go on, PINGs tell that we are there`, async (t) => {
    let looks = 0;
    let whenPaused = -1;
    const rig = rigFor(
      { preempt },
      {
        onAwaitRequest() {
          looks += 1;
          if (looks === 1) whenPaused = rig.migration.counters.backgroundPages;
          if (looks === 10)
            rig.receive({ name: 'REQ_PAGES_ID', start: 400 * 4 * K, length: 4 * K, block: 'pc.ram' });
          if (looks === 120) {
            t.equal(rig.migration.counters.backgroundPages, whenPaused, 'nothing was pushed');
            t.equal(rig.migration.counters.requestedPages, 1, 'what was asked for was sent');
            rig.migration.pausePush(false);
          }
        },
      },
    );
    rig.migration.pausePush(true);
    rig.run();
    t.equal(rig.migration.state, 'completed');
    t.equal(whenPaused, 0);
    t.equal(rig.migration.counters.backgroundPages, 1025);
    const pings = outline(rig.bytes).filter((words) => /^PING 0x1[0-9a-f]{2}$/.test(words));
    t.equal(pings.length, 2, 'one a second');
  });
}
