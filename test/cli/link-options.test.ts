// Options of an emulated link: units of tc, both directions, and what is refused.
import t from 'tap';
import { FLOOR_OPTIONS, floorOf, LINK_OPTIONS, linkOf, parseLink } from '../../src/cli/link-options.ts';
import { Arguments } from '../../src/cli/option-table.ts';

const link = (...args: string[]) => linkOf(new Arguments(args, LINK_OPTIONS));
const floor = (...args: string[]) => floorOf(new Arguments(args, FLOOR_OPTIONS));

t.test('without --link there is none, nor anything about it', async (t) => {
  t.equal(link(), undefined);
  t.throws(() => link('--rtt', '1ms'), { code: 'option-without-effect' });
  t.throws(() => link('--link-queue', '1M'), { code: 'option-without-effect' });
  t.equal(floor(), undefined);
  t.throws(() => floor('--floor-rtt', '1ms'), { code: 'option-without-effect' });
});

t.test('one rate for both directions, the round trip split evenly', async (t) => {
  const direction = { bytesPerSecond: 1.25e9, delayNs: 50_000, queueBytes: 1_250_000 };
  t.strictSame(link('--link', '10gbit', '--rtt', '100us'), { forward: direction, returnPath: direction });
});

t.test('per direction', async (t) => {
  t.strictSame(link('--link', '2.5gbit/100mbit', '--link-queue', '1M/64K'), {
    forward: { bytesPerSecond: 312.5e6, delayNs: 0, queueBytes: 2 ** 20 },
    returnPath: { bytesPerSecond: 12.5e6, delayNs: 0, queueBytes: 65_536 },
  });
});

t.test('units', async (t) => {
  const rate = (text: string) => parseLink({ rate: text, rtt: '0us' }).forward.bytesPerSecond;
  t.strictSame(
    ['1000000bit', '1500kbit', '10mbit', '10Gbit', '1tbit'].map(rate),
    [125_000, 187_500, 1.25e6, 1.25e9, 1.25e11],
  );
  const delay = (text: string) => parseLink({ rate: '1gbit', rtt: text }).forward.delayNs;
  t.strictSame(['10ns', '1us', '1.5ms', '2s'].map(delay), [5, 500, 750_000, 1e9]);
});

t.test('what is no rate, time or queue', async (t) => {
  for (const rate of [
    '',
    '10',
    '10g',
    '10gbps',
    '-1gbit',
    '0mbit',
    '999kbit',
    '2tbit',
    '1gbit/',
    '1gbit/2gbit/3gbit',
  ]) {
    t.throws(() => link(`--link=${rate}`), { code: 'bad-option-value' }, rate);
  }
  for (const rtt of ['100', 'us', '-1ms', '11s', '1ms/2ms']) {
    t.throws(() => link('--link', '1gbit', `--rtt=${rtt}`), { code: 'bad-option-value' }, rtt);
  }
  for (const queue of ['1499', '1k/', 'x', '1M/2M/3M']) {
    t.throws(() => link('--link', '1gbit', '--link-queue', queue), { code: 'bad-option-value' }, queue);
  }
});

t.test('what a destination is told', async (t) => {
  t.strictSame(floor('--floor-link', '1gbit'), { bytesPerSecond: 125e6, rttNs: 0 });
  t.strictSame(floor('--floor-link', '1gbit', '--floor-rtt', '5ms'), { bytesPerSecond: 125e6, rttNs: 5e6 });
  t.strictSame(
    floor('--floor-link', '1gbit/100mbit'),
    { bytesPerSecond: 125e6, rttNs: 0 },
    'the rate to here',
  );
  t.throws(() => floor('--floor-link', '1gbit/fast'), { code: 'bad-option-value' });
  t.throws(() => floor('--floor-link', 'fast'), { code: 'bad-option-value' });
});
