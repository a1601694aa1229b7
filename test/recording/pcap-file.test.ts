// pcap files written by hand: both byte orders, both units of time, cut and broken ones.
import t from 'tap';
import { ByteQueue } from '../../src/recording/file-bytes.ts';
import { pcapPackets } from '../../src/recording/pcap-file.ts';
import { all, half, hexBytes, inPieces, word } from './captured-bytes.ts';

function pcap(isLittle: boolean, magic: number, linkType = 1): Uint8Array {
  const w = (value: number) => word(value, isLittle);
  const head = [w(magic), half(2, isLittle), half(4, isLittle), w(0), w(0), w(262_144), w(linkType)];
  const first = [w(1000), w(999_999), w(3), w(3), hexBytes('aabbcc')];
  const second = [w(1001), w(500_000), w(2), w(1500), hexBytes('ddee')];
  return Buffer.concat([...head, ...first, ...second]);
}

const read = (bytes: Uint8Array, pieceBytes?: number) =>
  all(pcapPackets(new ByteQueue(inPieces(bytes, pieceBytes))));

t.test('both byte orders and units, in pieces of any size', async (t) => {
  for (const isLittle of [true, false]) {
    for (const [magic, tSeconds] of [
      [0xa1b2c3d4, 0.500001],
      [0xa1b23c4d, 0.999500001],
    ] as const) {
      for (const pieceBytes of [1, 7, 1000]) {
        const [first, second, ...more] = await read(pcap(isLittle, magic), pieceBytes);
        t.equal(more.length, 0);
        t.strictSame([first!.tSeconds, first!.linkType, first!.originalBytes], [0, 1, 3]);
        t.strictSame([...first!.bytes], [0xaa, 0xbb, 0xcc]);
        t.ok(Math.abs(second!.tSeconds! - tSeconds) < 1e-9);
        t.strictSame([second!.bytes.length, second!.originalBytes], [2, 1500], 'cut by its snapshot length');
      }
    }
  }
});

t.test('bits above the link type tell of check sequences', async (t) => {
  const [packet] = await read(pcap(true, 0xa1b2c3d4, 0x1400_0071));
  t.equal(packet!.linkType, 113);
});

t.test('a cut file gives the packets that are whole', async (t) => {
  const bytes = pcap(true, 0xa1b2c3d4);
  for (let lengthBytes = 24; lengthBytes < bytes.length; lengthBytes += 1) {
    const packets = await read(bytes.subarray(0, lengthBytes));
    t.equal(packets.length, lengthBytes < 24 + 16 + 3 ? 0 : 1);
  }
});

t.test('what is no pcap is refused', async (t) => {
  await t.rejects(read(pcap(true, 0x12345678)), { code: 'bad-capture' });
  await t.rejects(read(pcap(true, 0xa1b2c3d4).subarray(0, 20)), { code: 'bad-capture' });
  const huge = pcap(true, 0xa1b2c3d4);
  huge.set(word(0x7fff_ffff, true), 24 + 8);
  await t.rejects(read(huge), { code: 'bad-capture' }, 'before its bytes are awaited');
});
