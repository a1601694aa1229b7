// The outgoing core under a scripted driver: the exact order of the stream, and what the return path means.
import t from 'tap';
import { MigrationError } from '../../src/errors.ts';
import { RamImage } from '../../src/machine/ram-block.ts';
import { NEGOTIATION_COOKIE } from '../../src/protocol/negotiation-messages.ts';
import { batchBytesOf } from '../../src/source/bandwidth-limit.ts';
import type { OutgoingOptions } from '../../src/source/outgoing.ts';
import { filledImage, guestDevices, joinCores } from '../adversary/recorded-migration.ts';
import { thrownBy } from '../destination/incoming-rig.ts';
import { type DriveHooks, OutgoingRig } from './drive-outgoing.ts';
import { outline } from './list-records.ts';

const K = 1024;
const BLOCKS = [
  { name: 'pc.ram', lengthBytes: 32 * K, hostPageBytes: 16 * K, kind: 'system' },
  { name: 'vga.vram', lengthBytes: 8 * K, hostPageBytes: 4 * K, kind: 'device' },
] as const;
const ONE_PASS = { postcopyAfter: { kind: 'passes', count: 1 } } as const;

/** RAM of zero pages but one, so that an outline is short. */
function quietImage(): RamImage {
  const image = RamImage.allocate(BLOCKS, 'present');
  image.blocks[0]!.words(0)[1024 * 5] = 1;
  return image;
}

/** A source whose peer answers every PING of ours at once. */
function answering(image: RamImage, options: Partial<OutgoingOptions>, hooks: DriveHooks = {}): OutgoingRig {
  const rig: OutgoingRig = new OutgoingRig(image, options, {
    onAwait(what) {
      if (what === 'SHUT') rig.receive({ name: 'SHUT', value: 0 });
      else if (what === 'PONG') {
        rig.receive({ name: 'HOST_PAGE', block: '', hostPage: 16 * K, placementPage: 16 * K });
        rig.receive({ name: 'HOST_PAGE', block: 'vga.vram', hostPage: 4 * K, placementPage: 4 * K });
        rig.receive({ name: 'PONG', value: NEGOTIATION_COOKIE });
      }
    },
    ...hooks,
  });
  rig.devices = guestDevices(BLOCKS);
  return rig;
}

const HEAD = ['HEADER', 'CONFIGURATION', 'OPEN_RETURN_PATH', 'PING 0x1', 'POSTCOPY_ADVISE 0x5000 0x1000'];
const START = [
  'SECTION_START ram 0',
  'RAM list pc.ram=0x8000@0x4000 vga.vram=0x2000',
  'EOS',
  'SECTION_FOOTER',
];
const PACKAGE = [
  'PACKAGED',
  'PACKAGE',
  '  POSTCOPY_LISTEN',
  '  SECTION_FULL postcopy/guest 0',
  '  DEVICE_STATE postcopy/guest',
  '  SECTION_FOOTER',
  '  SECTION_FULL postcopy/vcpu 0',
  '  DEVICE_STATE postcopy/vcpu',
  '  SECTION_FOOTER',
  '  PING 0x3',
  '  POSTCOPY_RUN',
];
const END = ['SECTION_END', 'EOS', 'SECTION_FOOTER', 'EOF'];

t.test('postcopy at once: every record in QEMU’s order (S1 to S18, S32)', (t) => {
  const rig = answering(quietImage(), {});
  rig.run();
  t.same(outline(rig.bytes), [
    ...HEAD,
    ...START,
    'DISCARD pc.ram 0x0+0x8000',
    'DISCARD vga.vram 0x0+0x2000',
    'PING 0x2',
    ...PACKAGE,
    'PING 0x4',
    'SECTION_PART',
    'block pc.ram',
    'zero pc.ram 0x0',
    'zero pc.ram 0x1000',
    'zero pc.ram 0x2000',
    'zero pc.ram 0x3000',
    'zero pc.ram 0x4000',
    'page pc.ram 0x5000',
    'zero pc.ram 0x6000',
    'zero pc.ram 0x7000',
    'block vga.vram',
    'zero vga.vram 0x0',
    'zero vga.vram 0x1000',
    'EOS',
    'SECTION_FOOTER',
    ...END,
  ]);
  t.equal(rig.migration.state, 'completed');
  t.match(rig.migration.counters, {
    precopyPages: 0,
    backgroundPages: 10,
    zeroPages: 9,
    discardedPages: 10,
    amplifiedPages: 0,
  });
  t.equal(rig.migration.counters.wireBytes, rig.bytes.length);
  t.end();
});

t.test(
  'one pass, then postcopy of what was dirtied: rounded, discarded, named again, once (S7, S11, S12)',
  (t) => {
    const image = quietImage();
    const rig = answering(image, ONE_PASS, {
      onStopGuest: () => {
        image.blocks[0]!.dirtyLog.set(6);
        image.blocks[1]!.dirtyLog.set(1);
      },
      onSend: (_bytes, sendClass) => {
        // Written while the pass is on its way, too much for it to have converged.
        if (sendClass === 'precopy') image.blocks[0]!.dirtyLog.set(4);
      },
    });
    rig.run();
    const records = outline(rig.bytes);
    t.same(records.slice(records.indexOf('SECTION_PART'), records.indexOf('PING 0x2')), [
      'SECTION_PART',
      'block pc.ram',
      ...[0, 1, 2, 3, 4].map((page) => `zero pc.ram 0x${page === 0 ? '0' : `${page}000`}`),
      'page pc.ram 0x5000',
      'zero pc.ram 0x6000',
      'zero pc.ram 0x7000',
      'block vga.vram',
      'zero vga.vram 0x0',
      'zero vga.vram 0x1000',
      'EOS',
      'SECTION_FOOTER',
      'DISCARD pc.ram 0x4000+0x4000',
      'DISCARD vga.vram 0x1000+0x1000',
    ]);
    t.same(records.slice(records.indexOf('PING 0x4')), [
      'PING 0x4',
      'SECTION_PART',
      'block pc.ram',
      'zero pc.ram 0x4000',
      'page pc.ram 0x5000',
      'zero pc.ram 0x6000',
      'zero pc.ram 0x7000',
      'block vga.vram',
      'zero vga.vram 0x1000',
      'EOS',
      'SECTION_FOOTER',
      ...END,
    ]);
    // By hand: pages 4 and 6 of the host page are dirty, so 5 and 7, which were sent and are clean, go again.
    t.match(rig.migration.counters, {
      precopyPages: 10,
      backgroundPages: 5,
      requestedPages: 0,
      discardedPages: 5,
      amplifiedPages: 2,
    });
    t.end();
  },
);

t.test('precopy that converges is finished as precopy, whatever was asked (S45)', (t) => {
  for (const postcopyAfter of [
    { kind: 'passes', count: 9 },
    { kind: 'never' },
    { kind: 'no-convergence' },
  ] as const) {
    const rig = answering(quietImage(), { postcopyAfter, downtimeLimitNs: 300e6 });
    rig.run();
    const records = outline(rig.bytes);
    t.same(records.slice(records.lastIndexOf('SECTION_END')), [
      'SECTION_END',
      'EOS',
      'SECTION_FOOTER',
      ...PACKAGE.slice(3, 9).map((words) => words.trim()),
      'EOF',
      'VMDESCRIPTION',
    ]);
    t.notOk(records.some((words) => words.startsWith('DISCARD') || words.startsWith('PACKAGE')));
    t.ok(records.includes('POSTCOPY_ADVISE 0x5000 0x1000'), 'it was advised all the same');
  }
  const image = quietImage();
  const rig = answering(image, { postcopyRam: false, downtimeLimitNs: 300e6 }, {});
  rig.run();
  const records = outline(rig.bytes);
  t.notOk(records.some((words) => words.startsWith('POSTCOPY_ADVISE')));
  t.ok(records.includes('RAM list pc.ram=0x8000 vga.vram=0x2000'), 'without ADVISE no page sizes (S6)');
  t.end();
});

t.test('the cookie takes the place of PING 1, and the answer decides the pages', (t) => {
  const image = RamImage.allocate([{ ...BLOCKS[0], hostPageBytes: 4 * K }, BLOCKS[1]], 'present');
  const rig = answering(image, { negotiate: true });
  rig.run();
  const records = outline(rig.bytes, true);
  t.same(records.slice(0, 9), [
    'HEADER',
    'CONFIGURATION',
    'OPEN_RETURN_PATH',
    'PING 0x48505331',
    'POSTCOPY_ADVISE 0x5000 0x1000',
    'SECTION_START ram 0',
    'RAM list pc.ram=0x8000@0x4000 vga.vram=0x2000',
    'EOS',
    'SECTION_FOOTER',
  ]);
  t.ok(rig.migration.isNegotiated);
  t.match(rig.migration.placements, [
    {
      block: 'pc.ram',
      sourceHostPageBytes: 4 * K,
      destinationHostPageBytes: 16 * K,
      placementPageBytes: 16 * K,
    },
    { block: 'vga.vram', placementPageBytes: 4 * K },
  ]);
  t.end();
});

t.test('a peer that knows nothing of the cookie gets equal pages, and never a reason', (t) => {
  const rig: OutgoingRig = new OutgoingRig(
    quietImage(),
    { negotiate: true },
    {
      onAwait: (what) =>
        rig.receive(
          what === 'SHUT' ? { name: 'SHUT', value: 0 } : { name: 'PONG', value: NEGOTIATION_COOKIE },
        ),
    },
  );
  rig.devices = guestDevices(BLOCKS);
  rig.run();
  t.equal(rig.migration.state, 'completed');
  t.notOk(rig.migration.isNegotiated);
  t.equal(rig.migration.farewell('why', true), undefined);
  t.ok(outline(rig.bytes).includes('POSTCOPY_ADVISE 0x5000 0x1000'));
  t.end();
});

t.test('requested pages come before background ones, whole, whatever the block', (t) => {
  const image = RamImage.allocate([{ ...BLOCKS[0], lengthBytes: 2048 * K }, BLOCKS[1]], 'present');
  for (const block of image.blocks)
    for (let page = 0; page < block.targetPageCount; page += 1) block.words(0)[1024 * page] = page + 1;
  const classes: string[] = [];
  const rig: OutgoingRig = answering(
    image,
    {},
    {
      onSend(bytes, sendClass) {
        classes.push(sendClass);
        if (sendClass === 'background' && classes.filter((name) => name === 'background').length === 1) {
          t.ok(bytes.length >= 512 * K, 'background pages go in large batches');
          rig.receive({ name: 'REQ_PAGES_ID', block: 'vga.vram', start: 4 * K, length: 4 * K });
          rig.receive({ name: 'REQ_PAGES_ID', block: 'pc.ram', start: 992 * K, length: 16 * K });
        }
      },
    },
  );
  rig.run();
  const first = classes.indexOf('background');
  t.same(classes.slice(first, first + 4), ['background', 'requested', 'requested', 'background']);
  const records = outline(rig.bytes);
  const at = records.indexOf('page vga.vram 0x1000');
  t.same(records.slice(at - 1, at + 6), [
    'block vga.vram',
    'page vga.vram 0x1000',
    'block pc.ram',
    'page pc.ram 0xf8000',
    'page pc.ram 0xf9000',
    'page pc.ram 0xfa000',
    'page pc.ram 0xfb000',
  ]);
  t.equal(rig.migration.counters.requestedPages, 5);
  t.equal(records.filter((words) => words.startsWith('page ')).length, 512 + 2, 'each page once');
  t.end();
});

t.test('under a bandwidth limit a request waits for few background pages only', (t) => {
  const image = RamImage.allocate([{ ...BLOCKS[0], lengthBytes: 2048 * K, hostPageBytes: 4 * K }], 'present');
  for (const block of image.blocks)
    for (let page = 0; page < block.targetPageCount; page += 1) block.words(0)[1024 * page] = page + 1;
  const background: number[] = [];
  const requested: number[] = [];
  const rig: OutgoingRig = new OutgoingRig(
    image,
    { backgroundBatchBytes: batchBytesOf(4096 * K) },
    {
      onAwait: () => rig.receive({ name: 'SHUT', value: 0 }),
      onSend(bytes, sendClass) {
        if (sendClass === 'requested') requested.push(bytes.length);
        if (sendClass !== 'background') return;
        background.push(bytes.length);
        if (background.length === 2)
          rig.receive({ name: 'REQ_PAGES_ID', block: 'pc.ram', start: 2044 * K, length: 4 * K });
      },
    },
  );
  rig.devices = guestDevices(BLOCKS);
  rig.run();
  t.ok(Math.max(...background) <= 6 * 4128, 'about 5 ms of the bandwidth in each');
  t.equal(requested.length, 1);
  t.ok(requested[0]! < 2 * 4128, 'the requested page leaves by itself');
  t.end();
});

/** Runs until the first step of a state, performs `answer`, and returns what it throws. */
function breakAt(
  state: OutgoingRig['migration']['state'],
  answer: (rig: OutgoingRig) => void,
  options: Partial<OutgoingOptions> = {},
): { error: unknown; rig: OutgoingRig } {
  let error: unknown;
  const rig: OutgoingRig = answering(quietImage(), options);
  rig.run(() => {
    if (error === undefined && rig.migration.state === state)
      error = thrownBy(() => answer(rig)) ?? 'nothing';
    return error === undefined;
  });
  return { error, rig };
}

t.test(
  'broken destinations: each is caught, named, and pauses once the guest is away (S22 to S30, S39)',
  (t) => {
    const request = (block: string, start: number, length: number) => ({
      name: 'REQ_PAGES_ID' as const,
      block,
      start,
      length,
    });
    const cases: {
      what: string;
      answer: (rig: OutgoingRig) => void;
      code: string;
      rule?: string;
      says: RegExp;
      only?: 'active';
    }[] = [
      {
        what: 'SHUT 1',
        answer: (rig) => rig.receive({ name: 'SHUT', value: 1 }),
        code: 'destination-failed',
        rule: 'S29',
        says: /found SHUT 1/,
      },
      {
        what: 'SHUT before EOF',
        answer: (rig) => rig.receive({ name: 'SHUT', value: 0 }),
        code: 'early-shut',
        rule: 'D95',
        says: /SHUT after EOF/,
      },
      {
        what: 'a PONG for no PING',
        answer: (rig) => rig.receive({ name: 'PONG', value: 7 }),
        code: 'unexpected-pong',
        rule: 'D22',
        says: /found one with 0x7/,
      },
      {
        what: 'a PONG twice',
        answer(rig) {
          rig.receive({ name: 'PONG', value: 1 });
          rig.receive({ name: 'PONG', value: 1 });
        },
        code: 'unexpected-pong',
        rule: 'D22',
        says: /a second one with 0x1/,
      },
      {
        what: 'HOST_PAGE without the cookie',
        answer: (rig) => rig.receive({ name: 'HOST_PAGE', block: '', hostPage: 4096, placementPage: 4096 }),
        code: 'unexpected-host-page',
        rule: 'N2',
        says: /before the cookie/,
      },
      {
        what: 'a received bitmap',
        answer: (rig) => rig.receive({ name: 'RECV_BITMAP', block: 'pc.ram' }),
        code: 'bitmap-outside-recovery',
        rule: 'S39',
        says: /RECV_BITMAP outside of a recovery/,
      },
      {
        what: 'RESUME_ACK 2',
        answer: (rig) => rig.receive({ name: 'RESUME_ACK', value: 2 }),
        code: 'bad-resume-ack',
        rule: 'S38',
        says: /found 2/,
      },
      {
        what: 'a request before LISTEN',
        answer: (rig) => rig.receive(request('pc.ram', 0, 4096)),
        code: 'request-before-postcopy',
        says: /before LISTEN/,
        only: 'active',
      },
      {
        what: 'a reason',
        answer: (rig) => rig.receive({ name: 'REASON', text: 'no room' }),
        code: 'destination-left',
        says: /left: no room/,
        only: 'active',
      },
      {
        what: 'an unknown type',
        answer: (rig) => rig.answer(Uint8Array.of(0, 99, 0, 0)),
        code: 'unknown-return-path-type',
        rule: 'S27',
        says: /0x0063/,
      },
      {
        what: 'a PONG of another length',
        answer: (rig) => rig.answer(Uint8Array.of(0, 2, 0, 5, 0, 0, 0, 1, 0)),
        code: 'bad-return-path-length',
        rule: 'S28',
        says: /PONG: expected length 4, found 5/,
      },
      {
        what: 'a message above 512 bytes',
        answer: (rig) => rig.answer(Uint8Array.of(0, 3, 2, 1)),
        code: 'return-path-too-long',
        rule: 'S28',
        says: /at most 512/,
      },
      {
        what: 'REQ_PAGES_ID whose name is longer than it',
        answer: (rig) => rig.answer(Uint8Array.of(0, 3, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9)),
        code: 'bad-return-path-length',
        rule: 'S26',
        says: /REQ_PAGES_ID/,
      },
      {
        what: 'a bitmap of 2^40 bytes',
        answer: (rig) => rig.answer(Uint8Array.of(0, 5, 0, 3, 2, 0x6d, 0x30, 0, 0, 1, 0, 0, 0, 0, 0)),
        code: 'bitmap-outside-recovery',
        rule: 'S39',
        says: /RECV_BITMAP/,
      },
    ];
    for (const { what, answer, code, rule, says, only } of cases) {
      for (const [state, ends] of [
        ['active', 'failed'],
        ['postcopy-active', 'postcopy-paused'],
      ] as const) {
        if (only !== undefined && only !== state) continue;
        const { error, rig } = breakAt(state, answer, state === 'active' ? ONE_PASS : {});
        t.ok(error instanceof MigrationError, `${what} in ${state}: ${String(error)}`);
        const { code: found, rule: broken, message } = error as MigrationError;
        t.equal(found, code, `${what} in ${state}`);
        t.equal(broken, rule, `${what} in ${state}`);
        t.match(message, says);
        rig.migration.advance('error');
        t.equal(rig.migration.state, ends);
        t.equal(rig.migration.hasGivenGuestAway, state === 'postcopy-active');
      }
    }
    const requests: [string, (rig: OutgoingRig) => void, string, string][] = [
      ['unaligned', (rig) => rig.receive(request('pc.ram', 5, 4096)), 'request-unaligned', 'S22'],
      [
        'no block',
        (rig) => rig.receive({ name: 'REQ_PAGES', start: 0, length: 4096 }),
        'no-block-named',
        'S23',
      ],
      ['unknown block', (rig) => rig.receive(request('nvram', 0, 4096)), 'unknown-block', 'S24'],
      ['overrun', (rig) => rig.receive(request('vga.vram', 8192, 4096)), 'request-overrun', 'S25'],
    ];
    for (const [what, answer, code, rule] of requests) {
      const { error, rig } = breakAt('postcopy-active', answer);
      t.match(error, { code, rule }, what);
      rig.migration.advance('error');
      t.equal(rig.migration.state, 'postcopy-paused');
    }
    t.end();
  },
);

t.test('HOST_PAGE after the PONG that closes the list, and too many before', (t) => {
  const late = breakAt(
    'active',
    (rig) => rig.receive({ name: 'HOST_PAGE', block: '', hostPage: 4096, placementPage: 4096 }),
    { negotiate: true },
  );
  t.match(late.error, { code: 'late-host-page', rule: 'N5' });
  const rig: OutgoingRig = new OutgoingRig(
    quietImage(),
    { negotiate: true },
    {
      onAwait() {
        for (let index = 0; index < 5000; index += 1)
          rig.receive({ name: 'HOST_PAGE', block: `b${index}`, hostPage: 4096, placementPage: 4096 });
      },
    },
  );
  t.throws(() => rig.run(), { name: 'LimitError', code: 'too-many-host-pages', rule: 'N4' });
  t.end();
});

t.test('a request after END: the pages are gone, and asking for more than there is stays bad', (t) => {
  let hasAsked = false;
  const rig: OutgoingRig = answering(
    quietImage(),
    {},
    {
      onAwait() {
        hasAsked = true;
        rig.receive({ name: 'REQ_PAGES_ID', block: 'pc.ram', start: 0, length: 16 * K });
        t.throws(() => rig.receive({ name: 'REQ_PAGES', start: 64 * K, length: 4 * K }), {
          code: 'request-overrun',
          rule: 'S25',
        });
        rig.receive({ name: 'SHUT', value: 0 });
      },
    },
  );
  rig.run();
  t.ok(hasAsked);
  t.equal(rig.migration.state, 'completed');
  t.equal(rig.migration.counters.requestedPages, 0);
  t.end();
});

t.test('a destination that closes after SHUT has completed, one that closes without it has not', (t) => {
  for (const postcopyRam of [true, false]) {
    const closed = (saysShut: boolean) => {
      const rig = answering(quietImage(), { postcopyRam });
      rig.run((step) => step.do !== 'await-return-path' || step.what !== 'SHUT');
      if (saysShut) rig.receive({ name: 'SHUT', value: 0 });
      return rig.migration.onReturnPathEnd()?.code;
    };
    t.equal(closed(true), undefined);
    t.equal(closed(false), 'peer-closed');
  }
  t.end();
});

t.test('a reason before the PONG of the package gives the guest back, after it does not (S30)', (t) => {
  const leave = (rig: OutgoingRig) => rig.receive({ name: 'REASON', text: 'no vCPU' });
  const early = breakAt('postcopy-active', leave);
  t.match(early.error, { code: 'destination-left', message: /no vCPU/ });
  t.equal(early.rig.migration.state, 'failed');
  t.equal(early.rig.migration.hasGivenGuestAway, false);

  let late: unknown;
  const rig: OutgoingRig = answering(
    quietImage(),
    {},
    {
      onSend() {
        if (rig.migration.state !== 'postcopy-active' || late !== undefined) return;
        rig.receive({ name: 'PONG', value: 3 });
        late = thrownBy(() => leave(rig));
      },
    },
  );
  rig.run(() => late === undefined);
  t.match(late, { code: 'destination-left' });
  rig.migration.advance('error');
  t.equal(rig.migration.state, 'postcopy-paused');
  t.equal(rig.migration.hasGivenGuestAway, true);
  t.end();
});

t.test('a farewell at every step is read as what it is', (t) => {
  const blocks = [{ ...BLOCKS[0], lengthBytes: 1024 * K, hostPageBytes: 64 * K }, BLOCKS[1]];
  const pages = { hostPageBytes: 64 * K, byName: new Map([['vga.vram', 4 * K]]) };
  const options = { negotiate: true, postcopyAfter: { kind: 'passes', count: 2 } } as const;
  const dirtyAll = (image: RamImage) => {
    for (let page = 0; page < 200; page += 1) image.blocks[0]!.dirtyLog.set(page);
  };
  const whole = joinCores(blocks, options, pages, dirtyAll);
  whole.source.run();
  const lastStep = whole.source.sent.length;
  t.ok(lastStep > 12, `${lastStep} sends`);
  let farewells = 0;
  for (let cut = 2; cut < lastStep; cut += 1) {
    for (const isLastStepSent of [true, false]) {
      let farewell: Uint8Array | undefined;
      const { source, destination } = joinCores(blocks, options, pages, (image) => {
        dirtyAll(image);
        if (isLastStepSent && source.sent.length === cut) farewell = source.migration.farewell('bye', true);
      });
      source.run((step) => {
        if (!isLastStepSent && step.do === 'send' && source.sent.length === cut)
          farewell = source.migration.farewell('bye', false);
        return farewell === undefined;
      });
      if (farewell === undefined || destination.migration.isComplete) continue;
      farewells += 1;
      const when = `${isLastStepSent ? 'behind' : 'before'} step ${cut}`;
      const error = thrownBy(() => destination.push(farewell!));
      t.match(error, { code: 'source-left', message: /bye/ }, when);
      t.equal(destination.migration.isComplete, false, when);
    }
  }
  t.ok(farewells > 20, `${farewells} farewells`);
  t.end();
});

t.test('the guest’s RAM is all there at the end, between two cores', (t) => {
  const image = filledImage(BLOCKS);
  t.ok(image.blocks[0]!.hashSha256());
  for (const hostPage of [4 * K, 8 * K, 16 * K, 32 * K]) {
    const { source, destination, image } = joinCores(
      BLOCKS,
      { negotiate: true, ...ONE_PASS },
      { hostPageBytes: hostPage, byName: new Map([['vga.vram', 4 * K]]) },
    );
    source.run();
    t.ok(destination.migration.isComplete);
    for (const [index, block] of image.blocks.entries())
      t.equal(
        destination.image!.blocks[index]!.hashSha256(),
        block.hashSha256(),
        `${block.name} on ${hostPage}`,
      );
  }
  t.end();
});
