// vCPUs in threads of their own: stopped, resumed, moved, and proved to have lost nothing.

import fc from 'fast-check';
import t from 'tap';
import { RamImage, type SharedRamBlock } from '../../src/machine/ram-block.ts';
import { referenceRun } from '../../src/machine/reference.ts';
import { VcpuControl } from '../../src/machine/vcpu-control.ts';
import {
  decodeVcpuState,
  encodeVcpuState,
  GUEST_PROGRAM_NAMES,
  type VcpuState,
} from '../../src/machine/vcpu-state.ts';
import {
  nextVcpuStatus,
  VCPU_STATUSES,
  VCPU_TRANSITIONS,
  type VcpuEvent,
  type VcpuStatus,
} from '../../src/machine/vcpu-status.ts';
import { startVcpuThreads } from '../../src/machine/vcpu-threads.ts';
import { hashes, SEED, SMALL_BLOCKS, SMALL_TRACE, smallGuest, untilEachDid } from './small-guest.ts';

const FILL = { kind: 'pattern', seed: SEED, zeroPercent: 25 } as const;
const PATIENCE_MS = 20_000;
const FAULTING_ENTRY = new URL('./faulting-vcpu-thread.js', import.meta.url);

const states = (control: VcpuControl) =>
  Array.from({ length: control.vcpuCount }, (_, i) => control.readState(i));

function reference(vcpus: VcpuState[], ended: VcpuState[]): Record<string, string> {
  const counts = ended.map((state) => state.count);
  return referenceRun({ blocks: SMALL_BLOCKS, fill: FILL, vcpus, counts, trace: SMALL_TRACE });
}

t.test('stopped and resumed at random points, a guest ends with the RAM of the reference', async (t) => {
  const pauses = fc.sample(fc.nat(20_000), { seed: 8, numRuns: 24 });
  for (const [n, program] of GUEST_PROGRAM_NAMES.entries()) {
    const vcpus = 1 + (n % 4);
    const { image, control, initial } = smallGuest(program, vcpus);
    const threads = startVcpuThreads({ ram: image.shared, control: control.shared, trace: SMALL_TRACE });
    t.equal(await control.waitAllParkedAsync(PATIENCE_MS), true);
    for (const accesses of pauses.slice(n * 4, n * 4 + 4)) {
      control.run();
      // An idle guest ticks a hundred times a second.
      await untilEachDid(control, program === 'idle' ? 2 : accesses);
      control.stop();
      t.equal(await control.waitAllParkedAsync(PATIENCE_MS), true);
    }
    const ended = states(control);
    t.same(hashes(image), reference(initial, ended), `${program} on ${vcpus} vCPUs`);
    for (const state of ended) {
      t.equal(control.count(state.index), state.count);
      t.ok(control.parkedAtNs(state.index) >= control.firstAccessNs(state.index));
      t.ok(control.firstAccessNs(state.index) > 0);
    }
    control.exit();
    await threads.ended;
    t.equal(control.status(0), 'exited');
  }
});

t.test('a guest goes on elsewhere, page by page, exactly where it stopped', async (t) => {
  const source = smallGuest('pointer-chase', 3);
  const sourceThreads = startVcpuThreads({ ram: source.image.shared, control: source.control.shared });
  source.control.run();
  await untilEachDid(source.control, 3000);
  source.control.stop();
  await source.control.waitAllParkedAsync(PATIENCE_MS);

  const image = RamImage.allocate(SMALL_BLOCKS, 'missing');
  const control = VcpuControl.allocate(3);
  const requested: string[] = [];
  const requests = new BroadcastChannel('page-requests');
  requests.onmessage = (event) => {
    const { block: name, hostPage } = (event as MessageEvent).data as { block: string; hostPage: number };
    requested.push(`${name} ${hostPage}`);
    const block = image.get(name);
    const [from, pages] = [hostPage * block.targetPagesPerHostPage, block.targetPagesPerHostPage];
    for (let page = from; page < from + pages; page += 1) {
      block.copyIn(page * 4096, source.image.get(name).targetPageBytes(page), 0, 4096);
    }
    block.publish(hostPage);
  };
  // Each waits for its page for ever: only the notify of `publish` can wake it.
  const threads = startVcpuThreads({
    ram: image.shared,
    control: control.shared,
    entry: FAULTING_ENTRY,
    extra: { lookEveryMs: Number.POSITIVE_INFINITY },
  });
  t.equal(await control.waitAllParkedAsync(PATIENCE_MS), true, 'they park before they have a state');
  for (const state of states(source.control)) {
    control.writeState(state.index, decodeVcpuState(encodeVcpuState(state)));
  }
  control.run();
  await untilEachDid(control, 3000);
  control.stop();
  t.equal(await control.waitAllParkedAsync(PATIENCE_MS), true);
  for (const block of image.blocks) {
    for (let hostPage = 0; hostPage < block.hostPageCount; hostPage += 1) {
      if (block.pageState(hostPage) !== 2)
        requests.onmessage({ data: { block: block.name, hostPage } } as never);
    }
  }
  t.equal(new Set(requested).size, requested.length, 'each host page was asked for once');
  t.ok(requested.length >= 20, 'pages of both blocks faulted or were pushed');
  t.same(hashes(image), reference(source.initial, states(control)));
  for (const end of [control, source.control]) end.exit();
  await Promise.all([threads.ended, sourceThreads.ended]);
  requests.close();
});

t.test('passes over the dirty pages of a running guest leave nothing behind', async (t) => {
  const { image, control } = smallGuest('random', 2);
  const mirror = RamImage.allocate(SMALL_BLOCKS, 'present');
  for (const block of image.blocks) block.dirty.setRange(0, block.targetPageCount);
  const copyDirty = () => {
    for (const [b, block] of image.blocks.entries()) {
      block.dirty.takeFrom(block.dirtyLog);
      for (let page = block.dirty.nextSet(0); page !== -1; page = block.dirty.nextSet(page + 1)) {
        block.dirty.clear(page);
        mirror.blocks[b]!.copyIn(page * 4096, block.targetPageBytes(page), 0, 4096);
      }
    }
  };
  const threads = startVcpuThreads({ ram: image.shared, control: control.shared });
  for (let round = 0; round < 20; round += 1) {
    control.run();
    await untilEachDid(control, 500);
    for (let pass = 0; pass < 20; pass += 1) copyDirty();
    control.stop();
    t.equal(await control.waitAllParkedAsync(PATIENCE_MS), true);
    copyDirty();
    t.same(hashes(mirror), hashes(image), `round ${round}`);
  }
  control.exit();
  await threads.ended;
});

t.test('a vCPU that waits for a page parks when told to, with its access not done', async (t) => {
  const { control, initial } = smallGuest('sequential', 2);
  const image = RamImage.allocate(SMALL_BLOCKS, 'missing');
  const requests = new BroadcastChannel('page-requests');
  const asked = new Promise<void>((resolve) => {
    let count = 0;
    requests.onmessage = () => {
      count += 1;
      if (count === 2) resolve();
    };
  });
  const threads = startVcpuThreads({
    ram: image.shared,
    control: control.shared,
    entry: FAULTING_ENTRY,
    extra: { lookEveryMs: 5 },
  });
  control.run();
  await asked;
  t.equal(control.status(0), 'blocked');
  t.equal(control.status(1), 'blocked');
  t.throws(() => control.readState(0), { name: 'StateError', code: 'vcpu-not-parked' });
  t.throws(() => control.writeState(0, initial[0]!), { code: 'vcpu-not-parked' });
  t.equal(control.waitAllParked(0), false);
  control.stop();
  t.equal(control.waitAllParked(PATIENCE_MS), true);
  t.same(states(control), initial, 'nothing was done');

  // Resumed, they still wait; told to exit, they do.
  control.run();
  while (control.status(0) !== 'blocked') await new Promise((resolve) => setImmediate(resolve));
  control.exit();
  await threads.ended;
  t.throws(() => control.allParked(), { name: 'StateError', code: 'vcpu-exited' });
  requests.close();
});

t.test('a paced vCPU stops between two accesses', async (t) => {
  const { image, control } = smallGuest('random', 1, 1);
  const threads = startVcpuThreads({ ram: image.shared, control: control.shared });
  control.run();
  await untilEachDid(control, 1);
  control.stop();
  t.equal(await control.waitAllParkedAsync(PATIENCE_MS), true);
  t.equal(control.readState(0).count, 1, 'the second would have been due a second later');
  control.exit();
  await threads.ended;
});

t.test('a vCPU that fails is told of, with its reason', async (t) => {
  const { control } = smallGuest('sequential', 2);
  const image = RamImage.allocate(SMALL_BLOCKS, 'missing');
  const threads = startVcpuThreads({ ram: image.shared, control: control.shared });
  control.run();
  await t.rejects(threads.ended, { name: 'GuestError', code: 'source-page-missing' });
  await t.rejects(control.waitAllParkedAsync(PATIENCE_MS), {
    code: 'vcpu-failed',
    message: /host page .* missing/,
  });
  t.match(control.failure(0) ?? control.failure(1), /source-page-missing/);
  control.exit();
  await Promise.all(threads.workers.map((worker) => worker.terminate()));
});

t.test('a vCPU that is run without a state, or with that of another, fails', async (t) => {
  const image = RamImage.allocate(SMALL_BLOCKS, 'present');
  const control = VcpuControl.allocate(1);
  t.throws(() => control.readState(0), { code: 'bad-vcpu-state' });
  const { initial } = smallGuest('random', 2);
  control.writeState(0, initial[1]!);
  t.throws(() => control.readState(0), { code: 'bad-vcpu-state', message: /slot of vCPU 0 .* vCPU 1/ });
  const threads = startVcpuThreads({ ram: image.shared, control: control.shared });
  control.run();
  await t.rejects(threads.ended, { code: 'bad-vcpu-state' });
});

t.test('a thread that dies is told of', async (t) => {
  const control = VcpuControl.allocate(1);
  const ram = { blocks: [] as SharedRamBlock[] };
  const entry = new URL('./no-such-thread.js', import.meta.url);
  await t.rejects(startVcpuThreads({ ram, control: control.shared, entry }).ended, {
    code: 'vcpu-thread-died',
  });
});

t.test('a vCPU goes through its life as the table says', (t) => {
  const events: readonly VcpuEvent[] = ['park', 'run', 'fault', 'resolve', 'exit', 'fail'];
  const ways: Record<VcpuStatus, readonly VcpuEvent[]> = {
    starting: [],
    parked: ['park'],
    running: ['park', 'run'],
    blocked: ['park', 'run', 'fault'],
    failed: ['fail'],
    exited: ['park', 'exit'],
  };
  for (const status of VCPU_STATUSES) {
    for (const event of events) {
      const control = VcpuControl.allocate(1);
      for (const step of ways[status]) control.advance(0, step);
      t.equal(control.status(0), status);
      const next = (VCPU_TRANSITIONS[status] as Partial<Record<VcpuEvent, VcpuStatus>>)[event];
      if (next === undefined) {
        t.throws(() => control.advance(0, event), {
          name: 'StateError',
          code: 'bad-vcpu-event',
          state: status,
        });
        t.equal(control.status(0), status, `${status} × ${event}: unchanged`);
      } else {
        control.advance(0, event);
        t.equal(control.status(0), next, `${status} × ${event}`);
        t.equal(nextVcpuStatus(status, event), next);
      }
    }
  }
  t.end();
});
