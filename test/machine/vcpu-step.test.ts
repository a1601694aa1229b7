// Steps of a guest: what it reads feeds what it writes, in its own lane, and a fault leaves no trace.

import t from 'tap';
import { fillPattern } from '../../src/machine/fill.ts';
import { GuestMemory } from '../../src/machine/guest-memory.ts';
import { initialVcpuStates } from '../../src/machine/initial-vcpu-states.ts';
import { RamImage } from '../../src/machine/ram-block.ts';
import { referenceRun } from '../../src/machine/reference.ts';
import { GuestStopped } from '../../src/machine/vcpu-control.ts';
import { encodeVcpuState, GUEST_PROGRAM_NAMES, type VcpuState } from '../../src/machine/vcpu-state.ts';
import { makeStep } from '../../src/machine/vcpu-step.ts';
import { hashes, SEED, SMALL_BLOCKS, SMALL_PAGES, SMALL_TRACE, smallGuest } from './small-guest.ts';

const FILL = { kind: 'pattern', seed: SEED, zeroPercent: 25 } as const;

function memoryOf(image: RamImage, tracksDirty = false): GuestMemory {
  return new GuestMemory({
    image,
    tracksDirty,
    onFault: () => {
      throw new GuestStopped();
    },
  });
}

function runSteps(
  state: VcpuState,
  memory: GuestMemory,
  steps: number,
  onPage?: (page: number) => void,
): void {
  const step = makeStep(state, memory, SMALL_TRACE);
  for (let i = 0; i < steps; i += 1) {
    onPage?.(state.cursor);
    step();
  }
}

t.test('every program goes the same way twice, and writes only in its lane', (t) => {
  for (const program of GUEST_PROGRAM_NAMES) {
    const counts = [700, 900];
    const { image, initial } = smallGuest(program, 2);
    const before = Buffer.concat(image.blocks.map((block) => Buffer.from(block.bytes(0))));
    const memory = memoryOf(image);
    // In turns, where the reference takes one after the other.
    const states = initial.map((state) => ({ ...state }));
    const steps = states.map((state) => makeStep(state, memory, SMALL_TRACE));
    for (let i = 0; i < 900; i += 1) for (const v of [0, 1]) if (i < counts[v]!) steps[v]!();
    const reference = referenceRun({
      blocks: SMALL_BLOCKS,
      fill: FILL,
      vcpus: initial,
      counts,
      trace: SMALL_TRACE,
    });
    t.same(hashes(image), reference, program);

    const after = Buffer.concat(image.blocks.map((block) => Buffer.from(block.bytes(0))));
    let written = 0;
    for (let at = 0; at < after.length; at += 1) {
      if (after[at] === before[at]) continue;
      written += 1;
      if (at % 4096 >= 128) t.fail(`${program} wrote at ${at % 4096} of a page`);
    }
    t.ok(written > 0, `${program} writes`);
  }
  t.end();
});

t.test('the reference tells what each vCPU touches from a count of its own on', (t) => {
  for (const program of GUEST_PROGRAM_NAMES) {
    const { image, initial } = smallGuest(program, 2);
    const counts = [700, 900];
    const fromCounts = [650, 900];
    const expected = new Set<number>();
    for (const [index, state] of initial.entries()) {
      const own = { ...state };
      runSteps(own, memoryOf(image), fromCounts[index]!);
      runSteps(own, memoryOf(image), counts[index]! - fromCounts[index]!, (page) => expected.add(page));
    }
    const guest = { blocks: SMALL_BLOCKS, fill: FILL, vcpus: initial, counts, trace: SMALL_TRACE };
    const touched = new Set<number>();
    const hashed = referenceRun(guest, { fromCounts, onTouch: (page) => touched.add(page) });
    t.strictSame(touched, expected, program);
    t.strictSame(hashed, referenceRun(guest), 'and its RAM is the same');
  }
  t.end();
});

t.test('one stale word changes the RAM at the end', (t) => {
  for (const program of ['sequential', 'random', 'zipf', 'pointer-chase', 'trace'] as const) {
    const { image, initial } = smallGuest(program, 1);
    const reference = referenceRun({
      blocks: SMALL_BLOCKS,
      fill: FILL,
      vcpus: initial,
      counts: [5000],
      trace: SMALL_TRACE,
    });
    const state = { ...initial[0]! };
    // The word that the first access reads: as if its page had been sent before it was written.
    const memory = memoryOf(image);
    runSteps(state, memory, 2500);
    const words = image.get('pc.ram').words(0);
    const [page, lane] = [5, 0];
    for (let word = lane; word < lane + 16; word += 1) words[page * 1024 + word]! ^= 1;
    runSteps(state, memory, 2500);
    t.not(hashes(image)['pc.ram'], reference['pc.ram'], program);
    // Restored by hand, what was read in between still shows.
    if (program !== 'pointer-chase')
      t.not(state.accumulator, endState(program).accumulator, `${program}: accumulator`);
  }
  t.end();
});

function endState(program: VcpuState['program']): VcpuState {
  const { image, initial } = smallGuest(program, 1);
  const state = { ...initial[0]! };
  runSteps(state, memoryOf(image), 5000);
  return state;
}

t.test('a step whose page is missing changes nothing, and is done later', (t) => {
  for (const program of GUEST_PROGRAM_NAMES) {
    const { image, initial } = smallGuest(program, 1);
    const state = { ...initial[0]! };
    const contents = image.blocks.map((block) => Buffer.from(Buffer.from(block.bytes(0))));
    const missing = RamImage.allocate(SMALL_BLOCKS, 'missing');
    let faults = 0;
    const memory = new GuestMemory({
      image: missing,
      tracksDirty: false,
      onFault: (block, hostPage) => {
        faults += 1;
        // The page arrives, but the vCPU has been told to stop.
        const b = missing.blocks.indexOf(block);
        for (let i = 0; i < block.targetPagesPerHostPage; i += 1) {
          const at = (hostPage * block.targetPagesPerHostPage + i) * 4096;
          block.copyIn(at, contents[b]!, at, at + 4096);
        }
        block.publish(hostPage);
        throw new GuestStopped();
      },
    });
    const step = makeStep(state, memory, SMALL_TRACE);
    while (state.count < 1000) {
      const before = encodeVcpuState(state);
      try {
        step();
      } catch (error) {
        if (!(error instanceof GuestStopped)) throw error;
        t.same(encodeVcpuState(state), before, `${program}: unchanged by a fault`);
      }
    }
    runSteps({ ...initial[0]! }, memoryOf(image), 1000);
    t.ok(faults > 0 && faults <= 20, `${program}: one fault for a host page`);
    for (const [b, block] of missing.blocks.entries()) {
      for (let hostPage = 0; hostPage < block.hostPageCount; hostPage += 1) {
        if (block.pageState(hostPage) !== 2) continue;
        const [from, to] = [hostPage * block.hostPageBytes, (hostPage + 1) * block.hostPageBytes];
        const expected = image.blocks[b]!.bytes(0).subarray(from, to);
        if (!block.bytes(0).subarray(from, to).equals(expected))
          t.fail(`${program}: ${block.name} ${hostPage}`);
      }
    }
  }
  t.end();
});

t.test('a fault handler that returns without the page is caught', (t) => {
  const image = RamImage.allocate(SMALL_BLOCKS, 'missing');
  const memory = new GuestMemory({ image, tracksDirty: false, onFault: () => {} });
  t.throws(() => memory.access(70, 0), { code: 'fault-unresolved', message: /host page 6 .*'vga\.vram'/ });
  t.throws(() => memory.access(SMALL_PAGES, 0), { code: 'bad-guest-page' });
  t.end();
});

t.test('writes go to the dirty log of their page, reads do not', (t) => {
  const { image, initial } = smallGuest('random', 1);
  const memory = memoryOf(image, true);
  const before = image.blocks.map((block) => Buffer.from(Buffer.from(block.bytes(0))));
  runSteps({ ...initial[0]! }, memory, 60);
  let dirtyPages = 0;
  for (const [b, block] of image.blocks.entries()) {
    for (let page = 0; page < block.targetPageCount; page += 1) {
      const changed = !before[b]!.subarray(page * 4096, (page + 1) * 4096).equals(
        block.targetPageBytes(page),
      );
      t.equal(block.dirtyLog.test(page), changed, `${block.name} page ${page}`);
      dirtyPages += changed ? 1 : 0;
    }
  }
  t.ok(dirtyPages > 5);
  const untracked = smallGuest('random', 1);
  runSteps({ ...untracked.initial[0]! }, memoryOf(untracked.image), 60);
  t.equal(untracked.image.get('pc.ram').dirtyLog.count(), 0);
  t.end();
});

t.test('programs go where their name says', (t) => {
  const visits = (program: VcpuState['program'], steps: number) => {
    const { image, initial } = smallGuest(program, 1);
    const pages: number[] = [];
    runSteps({ ...initial[0]! }, memoryOf(image), steps, (page) => pages.push(page));
    return pages;
  };
  const distinct = (pages: number[]) => new Set(pages).size;
  const hottest = (pages: number[]) =>
    Math.max(...[...new Set(pages)].map((p) => pages.filter((q) => q === p).length));
  t.same(
    visits('sequential', 170),
    Array.from({ length: 170 }, (_, i) => i % SMALL_PAGES),
  );
  t.same(
    visits('trace', 310),
    Array.from({ length: 310 }, (_, i) => (SMALL_TRACE.accesses[i % 300]! >>> 1) % SMALL_PAGES),
  );
  t.equal(distinct(visits('idle', 50)), 1);
  t.equal(distinct(visits('random', 2000)), SMALL_PAGES);
  t.ok(hottest(visits('random', 2000)) < 60, 'random has no favourite');
  t.ok(hottest(visits('zipf', 2000)) > 300, 'zipf has one');
  t.ok(distinct(visits('pointer-chase', 2000)) > 70, 'pointer-chase does not run in a small circle');
  t.end();
});

t.test('a state that does not fit its machine is refused', (t) => {
  const { image, initial } = smallGuest('trace', 1);
  const memory = memoryOf(image);
  const state = initial[0]!;
  t.throws(() => makeStep(state, memory), { code: 'trace-missing' });
  t.throws(() => makeStep({ ...state, position: 300 }, memory, SMALL_TRACE), { code: 'bad-vcpu-state' });
  t.throws(() => makeStep({ ...state, cursor: SMALL_PAGES }, memory, SMALL_TRACE), {
    code: 'bad-vcpu-state',
  });
  const workload = { program: 'idle', seed: 1, writePercent: 0, ratePerSecond: 0, totalPages: 80 } as const;
  t.throws(() => initialVcpuStates({ ...workload, vcpus: 0 }), { code: 'bad-vcpu-count' });
  t.throws(() => initialVcpuStates({ ...workload, vcpus: 65 }), { code: 'bad-vcpu-count' });
  t.throws(() => initialVcpuStates({ ...workload, vcpus: 1, program: 'trace' }), { code: 'trace-missing' });
  t.throws(() => memoryOf(new RamImage({ blocks: [] })), { code: 'no-ram' });
  t.equal(initialVcpuStates({ ...workload, vcpus: 1 })[0]!.ratePerSecond, 100, 'an idle guest ticks');
  t.end();
});

t.test('a lost or misplaced page shows in the hash', (t) => {
  const { image } = smallGuest('idle', 1);
  const good = hashes(image);
  const block = image.get('pc.ram');
  const [a, b] = [Buffer.from(block.targetPageBytes(1)), Buffer.from(block.targetPageBytes(2))];
  block.copyIn(4096, b, 0, 4096);
  block.copyIn(8192, a, 0, 4096);
  t.not(block.hashSha256(), good['pc.ram'], 'two pages exchanged');
  fillPattern(image, SEED);
  t.equal(block.hashSha256(), good['pc.ram']);
  block.zeroTargetPage(1);
  t.not(block.hashSha256(), good['pc.ram'], 'a page lost');
  t.end();
});
