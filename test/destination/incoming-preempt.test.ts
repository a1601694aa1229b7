// Two channels into one guest: requested pages on their own channel, and the end of both (D101 to D103).
import t from 'tap';
import { PAGE_STATE } from '../../src/machine/page-state.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { encodeEos } from '../../src/protocol/ram-records.ts';
import { HOST_PAGE, honestSource, PAGE, type Piece, pageRecord } from '../adversary/scripted-source.ts';
import { IncomingRig, type RigOptions, thrownBy } from './incoming-rig.ts';

const pieces = honestSource();
const at = (label: string) => pieces.findIndex((candidate) => candidate.label === label);
const bytesOf = (list: readonly Piece[]) => joinBytes(list.map(({ bytes }) => bytes));
/** All up to the pages of postcopy, and END behind them. */
const HEAD = bytesOf(pieces.slice(0, at('page pc.ram 4')));
const TAIL = bytesOf(pieces.slice(at('page vga.vram 3') + 1));
const REST = bytesOf(pieces.slice(at('page pc.ram 4'), at('page vga.vram 3')));
const VGA = pageRecord('vga.vram', 3).bytes;

function rigFor(options: RigOptions = {}): IncomingRig {
  return new IncomingRig({
    hostPageBytes: HOST_PAGE,
    byName: new Map([['vga.vram', PAGE]]),
    preempt: true,
    ...options,
  });
}

function pushPreempt(rig: IncomingRig, bytes: Uint8Array): void {
  rig.migration.pushPreempt(bytes, 0, bytes.length);
}

t.test('7.2: SHUT waits for EOS on the preempt channel (D103)', (t) => {
  for (const profile of ['strict', '7.2'] as const) {
    const rig = rigFor({ profile });
    rig.push(HEAD);
    pushPreempt(rig, VGA);
    rig.push(REST);
    rig.push(TAIL);
    t.notOk(rig.migration.isComplete);
    t.ok(rig.migration.awaitsSource, 'and a source that is silent now is found out');
    pushPreempt(rig, encodeEos());
    t.ok(rig.migration.isComplete);
    t.equal(rig.replyNames.at(-1), 'SHUT 0');
  }
  t.end();
});

t.test('10.x: it does not, but for the pages', (t) => {
  const rig = rigFor({ profile: '10.x' });
  rig.push(HEAD);
  rig.push(REST);
  rig.push(TAIL);
  t.notOk(rig.migration.isComplete, 'a page is on its way');
  pushPreempt(rig, VGA);
  t.ok(rig.migration.isComplete);
  t.end();
});

t.test('the preempt channel cut', (t) => {
  const rig = rigFor();
  rig.push(HEAD);
  pushPreempt(rig, pageRecord('pc.ram', 4).bytes);
  t.throws(() => rig.migration.endPreempt(), {
    code: 'truncated',
    rule: 'D103',
    stream: 'preempt',
    message: /host page 1 of block 'pc\.ram' .* 1 of 4/,
  });
  t.equal(rig.migration.fail(), 'paused');
  t.ok(rig.image!.blocks[0]!.isZeroPage(4), 'the part is dropped');
  const early = rigFor();
  early.migration.endPreempt();
  early.push(joinBytes([HEAD, REST, VGA]));
  t.throws(() => early.push(TAIL), { code: 'truncated', rule: 'D103' });
  t.end();
});

t.test('nothing before LISTEN, and nothing but pages (D102)', (t) => {
  const rig = rigFor();
  t.throws(() => pushPreempt(rig, VGA), {
    code: 'preempt-before-listen',
    rule: 'D102',
    offset: 0,
    stream: 'preempt',
  });
  rig.push(HEAD);
  t.throws(
    () => pushPreempt(rig, Uint8Array.of(0, 0, 0, 0, 0, 1, 0x40, 0x04, 1, 0x78, 0, 0, 0, 0, 0, 1, 0x40, 0)),
    {
      code: 'not-a-page',
      rule: 'D102',
      stream: 'preempt',
    },
  );
  t.end();
});

t.test('each channel has a host page and a CONTINUE of its own', (t) => {
  const rig = rigFor();
  rig.push(HEAD);
  rig.push(pageRecord('pc.ram', 4).bytes);
  pushPreempt(
    rig,
    joinBytes([8, 9, 10, 11].map((page) => pageRecord('pc.ram', page, { named: page === 8 }).bytes)),
  );
  rig.push(joinBytes([5, 6, 7].map((page) => pageRecord('pc.ram', page, { named: false }).bytes)));
  const ram = rig.image!.blocks[0]!;
  t.equal(ram.pageState(1), PAGE_STATE.PRESENT);
  t.equal(ram.pageState(2), PAGE_STATE.PRESENT);
  t.equal(ram.pageState(3), PAGE_STATE.MISSING);
  t.end();
});

t.test(
  'one host page on both channels: the second is refused, and writes nothing into what a vCPU owns',
  (t) => {
    for (const profile of ['strict', '7.2'] as const) {
      const rig = rigFor({ profile });
      rig.push(HEAD);
      rig.push(pageRecord('pc.ram', 4).bytes);
      const other = joinBytes([4, 5, 6, 7].map((page) => pageRecord('pc.ram', page).bytes));
      if (profile === 'strict') {
        t.throws(() => pushPreempt(rig, other), { code: 'target-page-repeated', rule: 'D81' });
      } else {
        const half = pageRecord('pc.ram', 5, { named: false, fill: 1 }).bytes;
        rig.push(half.subarray(0, 100));
        pushPreempt(rig, other);
        t.throws(() => rig.push(half.subarray(100)), { code: 'page-already-present', rule: 'D83' });
      }
      t.equal(
        thrownBy(() => rig.migration.fail()),
        undefined,
        'and failing is no failure',
      );
      t.equal(rig.cell.state, 'paused');
      if (profile === '7.2') t.equal(rig.image!.blocks[0]!.pageState(1), PAGE_STATE.PRESENT);
    }
    t.end();
  },
);

t.test('what follows EOS on the preempt channel is nothing, in the same piece or the next', (t) => {
  for (const pieces of [[joinBytes([VGA, encodeEos(), VGA])], [VGA, encodeEos(), VGA]]) {
    const rig = rigFor();
    rig.push(HEAD);
    for (const bytes of pieces) pushPreempt(rig, bytes);
    rig.push(REST);
    rig.push(TAIL);
    t.ok(rig.migration.isComplete);
  }
  t.end();
});

t.test('after an error neither channel is taken, nor the loader', (t) => {
  const rig = rigFor({ loadsWhenTold: true });
  rig.push(HEAD);
  t.throws(() => pushPreempt(rig, encodeEos().fill(0xff)), { code: 'integer-too-large' });
  t.equal(rig.migration.fail(), 'failed');
  rig.push(REST);
  pushPreempt(rig, VGA);
  rig.migration.onGuestRunning();
  t.equal(rig.cell.state, 'failed');
  t.equal(rig.image!.blocks[1]!.pageState(3), PAGE_STATE.MISSING);
  t.equal(rig.image!.blocks[0]!.received.nextSet(4), -1);
  t.end();
});
