// pcapng files written by hand: byte orders, time resolutions, kinds of packet blocks, sections, broken ones.
import t from 'tap';
import { ByteQueue } from '../../src/recording/file-bytes.ts';
import { pcapngPackets } from '../../src/recording/pcapng-file.ts';
import { all, half, hexBytes, inPieces, word } from './captured-bytes.ts';

/** Blocks in one byte order. */
function writer(isLittle: boolean) {
  const w = (value: number) => word(value, isLittle);
  const h = (value: number) => half(value, isLittle);
  const block = (type: number, ...parts: Uint8Array[]): Uint8Array => {
    const body = Buffer.concat(parts);
    const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
    return Buffer.concat([w(type), w(padded.length + 12), padded, w(padded.length + 12)]);
  };
  return {
    section: () => block(0x0a0d0d0a, w(0x1a2b3c4d), h(1), h(0), w(0xffff_ffff), w(0xffff_ffff)),
    /** `resolution`: the value of if_tsresol, behind an option that is not looked at. */
    interface: (linkType: number, resolution?: number) =>
      block(
        1,
        h(linkType),
        h(0),
        w(262_144),
        ...(resolution === undefined
          ? []
          : [h(2), h(3), hexBytes('6c6f 30 00'), h(9), h(1), Uint8Array.of(resolution, 0, 0, 0), w(0)]),
      ),
    enhanced: (index: number, time: [number, number], bytes: Uint8Array, originalBytes = bytes.length) =>
      block(6, w(index), w(time[0]), w(time[1]), w(bytes.length), w(originalBytes), bytes),
    old: (index: number, time: [number, number], bytes: Uint8Array) =>
      block(2, h(index), h(77), w(time[0]), w(time[1]), w(bytes.length), w(bytes.length), bytes),
    simple: (bytes: Uint8Array) => block(3, w(bytes.length), bytes),
    other: () => block(5, w(0), w(1), w(2)),
  };
}

const read = (parts: readonly Uint8Array[], pieceBytes?: number) =>
  all(pcapngPackets(new ByteQueue(inPieces(Buffer.concat(parts), pieceBytes))));

const ABC = hexBytes('616263');

t.test('every kind of packet block, in both byte orders', async (t) => {
  for (const isLittle of [true, false]) {
    const to = writer(isLittle);
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
  const to = writer(true);
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
  const [little, big] = [writer(true), writer(false)];
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
  const to = writer(true);
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
