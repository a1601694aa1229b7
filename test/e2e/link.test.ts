// A migration over an emulated link: complete, verified, and no faster than the link.
import t from 'tap';
import { NOW, ram, to } from './check-migration.ts';
import { migrate } from './command.ts';

const RATE = ['--link', '200mbit/20mbit', '--rtt', '5ms'];
const BYTES_PER_SECOND = 25e6;
const RTT_NS = 5e6;
/** Nothing in it is zero, so all of it has to cross the link. */
const SOURCE = [...ram('8M', '4K'), '--zero-percent', '0', '--smp', '2', ...NOW];

t.test('200 Mbit/s with 5 ms', async (t) => {
  const { source, destination } = await migrate({
    source: [...SOURCE, ...RATE],
    destination: [...to('64K'), '--smp', '2', '--floor-link', '200mbit', '--floor-rtt', '5ms'],
  });
  t.equal(source.exitCode, 0, source.stderr || JSON.stringify(source.result?.error));
  t.equal(destination.exitCode, 0, destination.stderr || JSON.stringify(destination.result?.error));
  const [from, result] = [source.result, destination.result];
  t.equal(result.guestVerified, true, result.guestVerification);

  const { forward, returnPath, roundTrip, verdict } = from.link!;
  t.match(forward, { bytesPerSecond: BYTES_PER_SECOND, delayNs: RTT_NS / 2, queueBytes: 25_000 });
  t.match(returnPath, { bytesPerSecond: BYTES_PER_SECOND / 10, delayNs: RTT_NS / 2, queueBytes: 16_384 });
  t.equal(forward.carriedBytes, from.bytes.wire, 'every byte crossed it');
  t.ok(returnPath.carriedBytes > 0);
  t.ok(forward.carriedBytesPerSecond! <= BYTES_PER_SECOND, 'no faster than asked');
  t.match(verdict, /^asked 200 Mbit\/s, carried \d/);

  const floorNs = (8 * 2 ** 20 * 1e9) / BYTES_PER_SECOND;
  t.ok(from.times.totalNs >= floorNs + RTT_NS, 'all RAM, and at least one round trip');
  t.ok(result.wire.bytesPerSecond! <= BYTES_PER_SECOND, 'by the clock of the destination too');
  t.ok(roundTrip.count > 0 && roundTrip.minNs! >= RTT_NS, 'as PING and PONG saw it');
  t.equal(roundTrip.askedNs, RTT_NS);

  const pageNs = ((2 ** 16 + 16 * 8) * 1e9) / BYTES_PER_SECOND;
  for (const { floorNs: ofBlock } of result.stalls!.perBlock) t.equal(ofBlock, pageNs + RTT_NS);
});

t.test('without --link nothing is said of one', async (t) => {
  const { source } = await migrate({ source: [...SOURCE], destination: [...to('64K'), '--smp', '2'] });
  t.equal(source.exitCode, 0, source.stderr);
  t.notOk('link' in source.result);
  t.match(source.result.wire.note, /not shaped/);
});
