// pcapng files written by hand: byte orders, time resolutions, kinds of packet blocks, sections, broken ones.
import t from 'tap';
import { ByteQueue } from '../../src/recording/file-bytes.ts';
import { pcapngPackets } from '../../src/recording/pcapng-file.ts';
import { all, hexBytes, inPieces, word } from './captured-bytes.ts';
import { pcapngWriter } from './pcapng-writer.ts';

const read = (parts: readonly Uint8Array[], pieceBytes?: number) =>
  all(pcapngPackets(new ByteQueue(inPieces(Buffer.concat(parts), pieceBytes))));

const ABC = hexBytes('616263');

t.test('every kind of packet block, in both byte orders', async (t) => {
  for (const isLittle of [true, false]) {
    const to = pcapngWriter(isLittle);
    const parts = [
      to.section(),
      to.interface(1),
      to.interface(276, 9),
      to.other(),
      to.enhanced(0, [1, 0xffff_ffff], ABC, 1500),
      to.enhanced(0, [2, 0x0000_0000], ABC),
      to.old(0, [2, 1_000_000], ABC),
      to.simple(ABC),
    ];
    for (const pieceBytes of [1, 13, 1000]) {
      const packets = await read(parts, pieceBytes);
      t.strictSame(
        packets.map(({ tSeconds, linkType, originalBytes }) => [tSeconds, linkType, originalBytes]),
        [
          [0, 1, 1500],
          [1e-6, 1, 3],
          [1.000001, 1, 3],
          [undefined, 1, 3],
        ],
      );
      for (const { bytes } of packets) t.strictSame([...bytes], [...ABC], 'without its padding');
    }
  }
});

t.test('each interface has its own unit of time', async (t) => {
  const to = pcapngWriter(true);
  for (const [resolution, tSeconds] of [
    [9, 2e-9],
    [3, 2e-3],
    [0x80 + 10, 2 / 1024],
  ] as const) {
    const packets = await read([
      to.section(),
      to.interface(101, resolution),
      to.enhanced(0, [0, 5], ABC),
      to.enhanced(0, [0, 7], ABC),
    ]);
    t.equal(packets[1]!.tSeconds, tSeconds);
  }
});

t.test('a new section has interfaces and a byte order of its own', async (t) => {
  const [little, big] = [pcapngWriter(true), pcapngWriter(false)];
  const first = [little.section(), little.interface(1), little.enhanced(0, [0, 0], ABC)];
  const second = [big.section(), big.interface(113), big.enhanced(0, [0, 0], ABC)];
  const packets = await read([...first, ...second]);
  t.strictSame(
    packets.map(({ linkType }) => linkType),
    [1, 113],
  );
  await t.rejects(read([...first, big.section(), big.enhanced(0, [0, 0], ABC)]), { code: 'bad-capture' });
});

t.test('cut and broken files', async (t) => {
  const to = pcapngWriter(true);
  const parts = [to.section(), to.interface(1), to.enhanced(0, [0, 0], ABC)];
  const whole = Buffer.concat(parts);
  for (let lengthBytes = 12; lengthBytes < whole.length; lengthBytes += 1) {
    t.equal((await read([whole.subarray(0, lengthBytes)])).length, 0);
  }
  const wrongMagic = Buffer.from(whole);
  wrongMagic[8] = 0;
  await t.rejects(read([wrongMagic]), { code: 'bad-capture' });
  const wrongLength = Buffer.from(whole);
  wrongLength.set(word(3, true), 4);
  await t.rejects(read([wrongLength]), { code: 'bad-capture' });
  const hugeLength = Buffer.from(whole);
  hugeLength.set(word(0x7fff_fffc, true), 4);
  await t.rejects(read([hugeLength]), { code: 'bad-capture' });
  const overlong = Buffer.from(to.enhanced(0, [0, 0], ABC));
  overlong.set(word(4000, true), 8 + 12);
  await t.rejects(read([to.section(), to.interface(1), overlong]), { code: 'bad-capture' });
});
