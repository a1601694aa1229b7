// A second thread answers requests beside the core: in both orders each page is sent once, and counted.
import t from 'tap';
import { type RamBlockSpec, RamImage } from '../../src/machine/ram-block.ts';
import { PreemptDissector } from '../../src/protocol/dissect-preempt.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { encodeReturnPath } from '../../src/protocol/return-path-messages.ts';
import type { OutgoingOptions } from '../../src/source/outgoing.ts';
import { ANSWERED, RequestAnswers } from '../../src/source/request-answers.ts';
import { guestDevices } from '../adversary/recorded-migration.ts';
import { OutgoingRig } from './drive-outgoing.ts';
import { outline } from './list-records.ts';

const K = 1024;
const BLOCKS = [
  { name: 'pc.ram', lengthBytes: 64 * K, hostPageBytes: 16 * K, kind: 'system' },
  { name: 'vga.vram', lengthBytes: 8 * K, hostPageBytes: 4 * K, kind: 'device' },
] as const;

interface Answered {
  readonly rig: OutgoingRig;
  readonly answers: RequestAnswers;
  /** What was written on the preempt channel in answer. */
  readonly written: Uint8Array[];
  canWrite: boolean;
}

/** A source with a second thread, which here is called when it would run; `onFirst` is called as the first page leaves. */
function answeredRig(
  onFirst: (rig: Answered) => void,
  options: Partial<OutgoingOptions> = {},
  blocks: readonly RamBlockSpec[] = BLOCKS,
): Answered {
  const image = RamImage.allocate(blocks, 'present');
  for (const block of image.blocks)
    for (let page = 0; page < block.targetPageCount; page += 1) block.words(0)[1024 * page] = page + 1;
  const counts = new Float64Array(ANSWERED.COUNT);
  const written: Uint8Array[] = [];
  let hasBegun = false;
  let isOver = false;
  const answers = new RequestAnswers(
    { profile: 'strict', negotiates: false },
    {
      canWrite: () => it.canWrite && !isOver,
      write: ({ pieces }) => written.push(joinBytes(pieces)),
    },
    counts,
  );
  const rig: OutgoingRig = new OutgoingRig(
    image,
    { preempt: 'at-setup', backgroundBatchBytes: 4 * K, ...options },
    {
      onAwait: () => rig.receive({ name: 'SHUT', value: 0 }),
      onBeginAnswers: ({ placementPageBytes, claims }) => answers.begin(image, placementPageBytes, claims),
      onEndAnswers: () => {
        isOver = true;
      },
      onSend(_bytes, sendClass) {
        if (sendClass === 'control' || hasBegun) return;
        hasBegun = true;
        onFirst(it);
      },
    },
  );
  rig.migration.answered = {
    get pages() {
      return counts[ANSWERED.PAGES]!;
    },
    get zeroPages() {
      return counts[ANSWERED.ZERO_PAGES]!;
    },
    get bytes() {
      return counts[ANSWERED.BYTES]!;
    },
  };
  rig.devices = guestDevices(blocks);
  const it: Answered = { rig, answers, written, canWrite: true };
  return it;
}

const request = (block: string, start: number, length: number): Uint8Array =>
  encodeReturnPath('REQ_PAGES_ID', { block, start, length });

/** Pages on the main channel and in the answers, as `block offset`. */
function pagesOf({ rig, written }: Answered): { main: string[]; answered: string[] } {
  const main = outline(rig.bytes)
    .filter((words) => words.startsWith('page '))
    .map((words) => words.slice('page '.length));
  const answered: string[] = [];
  const dissector = new PreemptDissector({
    entry: (entry) => {
      if (entry.kind !== 'record') throw new Error(entry.error.message);
      const { block, offset } = entry.values as { block?: string; offset?: number };
      answered.push(`${block} 0x${offset!.toString(16)}`);
    },
    pageEnd: () => undefined,
  });
  dissector.push(joinBytes(written));
  return { main, answered };
}

const ALL = 16 + 2;

t.test('the second thread first: the core leaves the page out, and counts it', async (t) => {
  const it = answeredRig(({ rig, answers }) => {
    const bytes = joinBytes([request('pc.ram', 32 * K, 16 * K), request('vga.vram', 4 * K, 4 * K)]);
    answers.push(bytes.subarray(0, 7));
    answers.push(bytes.subarray(7));
    rig.answer(bytes);
  });
  it.rig.run();
  const { main, answered } = pagesOf(it);
  t.same(answered, ['pc.ram 0x8000', 'pc.ram 0x9000', 'pc.ram 0xa000', 'pc.ram 0xb000', 'vga.vram 0x1000']);
  t.equal(new Set([...main, ...answered]).size, ALL, 'all there is');
  t.equal(main.length + answered.length, ALL, 'each page once');
  t.match(it.rig.migration.counters, { requestedPages: 5, backgroundPages: 13 });
  t.match(it.rig.migration.pushCounts, { requests: 2, requestsFoundSent: 0 });
  const bytes = it.rig.bytes.length + it.rig.bytesOn('preempt').length + joinBytes(it.written).length;
  t.equal(it.rig.migration.counters.wireBytes, bytes);
});

t.test('the core first: the second thread does not answer what is sent, or under way, already', async (t) => {
  const it = answeredRig(({ rig, answers }) => {
    const bytes = request('pc.ram', 0, 16 * K);
    answers.push(bytes);
    rig.answer(bytes);
  });
  it.rig.run();
  const { main, answered } = pagesOf(it);
  t.same(answered, []);
  t.equal(main.length, ALL, 'each page once');
  t.match(it.rig.migration.pushCounts, { requests: 1, requestsFoundSent: 1 });
});

t.test('what the second thread cannot write, the core sends first', async (t) => {
  const it = answeredRig((answered) => {
    answered.canWrite = false;
    const bytes = request('vga.vram', 0, 4 * K);
    answered.answers.push(bytes);
    answered.rig.answer(bytes);
  });
  it.rig.run();
  const { main, answered } = pagesOf(it);
  t.same(answered, []);
  t.ok(main.indexOf('vga.vram 0x0') < main.indexOf('pc.ram 0x8000'), 'before the rest');
  t.equal(main.length, ALL, 'each page once');
});

t.test('a bad request is not answered, and the core ends with it', async (t) => {
  for (const [start, length, code] of [
    [0x123, 4 * K, 'request-unaligned'],
    [64 * K, 16 * K, 'request-overrun'],
  ] as const) {
    const it = answeredRig(({ rig, answers }) => {
      const bytes = request('pc.ram', start, length);
      answers.push(bytes);
      rig.answer(bytes);
    });
    t.throws(() => it.rig.run(), { code });
    t.equal(it.written.length, 0);
  }
});

t.test('with larger placement pages the core answers all itself', async (t) => {
  const blocks = [{ name: 'pc.ram', lengthBytes: 256 * K, hostPageBytes: 128 * K, kind: 'system' }] as const;
  let hasBegun = false;
  const it = answeredRig(() => undefined, {}, blocks);
  it.rig.run((step) => {
    hasBegun ||= step.do === 'begin-answers';
    return true;
  });
  t.equal(hasBegun, false);
  t.equal(it.rig.migration.state, 'completed');
});
