// A destination that touches all RAM itself asks for it in the order that it was told, beside the vCPUs of the guest.
import t from 'tap';
import { TOUCH_ORDERS, touchIndices } from '../../src/destination/touch-order.ts';
import { NOW, ram, to } from './check-migration.ts';
import { migrate, startPair } from './command.ts';

const PAGE_COUNT = 128;
const SEED = 5;
/** An idle guest asks for hardly anything, and a slow link leaves the rest to be asked for. */
const SOURCE = [
  ...ram('8M', '64K'),
  '--guest',
  'idle',
  '--smp',
  '2',
  '--max-postcopy-bandwidth',
  '2M',
  ...NOW,
];

for (const order of TOUCH_ORDERS) {
  t.test(`in ${order} order`, async (t) => {
    const seed = order === 'random' ? ['--touch-seed', String(SEED)] : [];
    const { source, destination } = await migrate({
      source: SOURCE,
      destination: [...to('64K'), '--smp', '2', '--faults', '--touch', order, ...seed],
    });
    t.equal(source.exitCode, 0, source.stderr || JSON.stringify(source.result?.error));
    const { result, exitCode, stderr } = destination;
    t.equal(exitCode, 0, stderr || JSON.stringify(result?.error));
    t.equal(result.guestVerified, true, 'it is no part of the proof');
    t.equal(result.guest!.vcpus.length, 2, 'and none of the guest');
    t.strictSame(result.touch, { order, seed: order === 'random' ? SEED : null, vcpu: 2 });
    const touched = result.faults!.filter(({ vcpu }) => vcpu === 2);
    const stalls = result.stalls!;
    t.equal(stalls.perVcpu.length, 3);
    t.equal(stalls.perVcpu[2]!.count, touched.length);
    t.ok(touched.length > 0, 'it waited for pages');
    t.ok(stalls.requests > 0 && result.pages.requested! > 0, 'and asked for them');

    const place = new Map([...touchIndices({ order, seed: SEED }, PAGE_COUNT)].map((page, at) => [page, at]));
    const places = touched.map(({ hostPage }) => place.get(hostPage)!);
    t.ok(
      places.every((at, index) => index === 0 || at > places[index - 1]!),
      'in its order',
    );
  });
}

t.test('nothing is touched in precopy', async (t) => {
  const { destination } = await migrate({
    source: [...ram('4M', '4K'), '--guest', 'idle', '--no-postcopy-ram'],
    destination: ['--touch', 'ascending'],
  });
  t.equal(destination.exitCode, 0, destination.stderr || JSON.stringify(destination.result?.error));
  t.equal(destination.result.stalls!.count, 0);
  t.match(destination.result.touch, { order: 'ascending', seed: null });
});

t.test('a source that dies meanwhile leaves nobody waiting', async (t) => {
  const pair = await startPair({
    source: [...SOURCE, '--max-postcopy-bandwidth', '1M'],
    destination: ['--touch', 'descending'],
  });
  await pair.destination.inPhase('postcopy-active');
  pair.source.process.kill('SIGKILL');
  const { exitCode, result } = await pair.destination.ended;
  t.equal(exitCode, 4);
  t.match(result, { status: 'postcopy-paused', touch: { order: 'descending' } });
});
