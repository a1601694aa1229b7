// Captures of tcpdump give the bytes that a proxy recorded; losses and cuts are told; connections are found.

import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { readCapture } from '../../src/recording/capture-reader.ts';
import { ByteQueue, fileBytes } from '../../src/recording/file-bytes.ts';
import { pcapPackets } from '../../src/recording/pcap-file.ts';
import type { RecordedPiece } from '../../src/recording/recorded-piece.ts';
import { findRecording, readRecording } from '../../src/recording/recording-reader.ts';
import { repositoryUrl } from '../fixtures.ts';
import { all, hexBytes, inPieces, ipv4, word } from './captured-bytes.ts';
import { pcapngWriter } from './pcapng-writer.ts';

const fixture = (name: string): string => fileURLToPath(repositoryUrl(`test/fixtures/tcpdump/${name}`));

function joined(pieces: readonly RecordedPiece[], conn: number, dir: 'fwd' | 'ret'): Buffer {
  return Buffer.concat(
    pieces.filter((p) => p.conn === conn && p.dir === dir).map(({ bytes }) => bytes.slice()),
  );
}

for (const name of ['loopback', 'any']) {
  t.test(`a migration captured by tcpdump: ${name}`, async (t) => {
    const recorded = await all(readRecording(findRecording(fixture('recorded'))!));
    for (const port of [undefined, 17_711]) {
      const captured = await all(readCapture(fixture(`${name}.pcap.gz`), port));
      for (const dir of ['fwd', 'ret'] as const) {
        t.ok(joined(recorded, 0, dir).length > 100);
        t.ok(joined(captured, 0, dir).equals(joined(recorded, 0, dir)), `${dir} is the same`);
      }
      t.strictSame(
        captured.filter(({ gap }) => gap !== undefined),
        [],
      );
      const times = captured.map(({ tSeconds }) => tSeconds!);
      t.equal(times[0], 0);
      t.strictSame(
        times,
        times.toSorted((a, b) => a - b),
      );
    }
    await t.rejects(all(readCapture(fixture(`${name}.pcap.gz`), 1)), { code: 'no-migration-in-capture' });
  });
}

t.test("tcpdump's packets in a pcapng file", async (t) => {
  const packets = await all(pcapPackets(new ByteQueue(fileBytes(fixture('loopback.pcap.gz')))));
  const to = pcapngWriter(true);
  const blocks = packets.map(({ tSeconds, bytes, originalBytes }) => {
    const microseconds = Math.round(tSeconds! * 1e6);
    const time: [number, number] = [Math.floor(microseconds / 2 ** 32), microseconds % 2 ** 32];
    return to.enhanced(0, time, bytes, originalBytes);
  });
  const file = Buffer.concat([to.section(), to.interface(packets[0]!.linkType), ...blocks]);
  const captured = await all(readCapture('capture.pcapng', undefined, inPieces(file, 4096)));
  const recorded = await all(readRecording(findRecording(fixture('recorded'))!));
  for (const dir of ['fwd', 'ret'] as const) {
    t.ok(joined(captured, 0, dir).equals(joined(recorded, 0, dir)), `${dir} is the same`);
  }
  const times = (await all(readCapture(fixture('loopback.pcap.gz'), undefined))).map(
    ({ tSeconds }) => tSeconds,
  );
  t.ok(
    captured.every(({ tSeconds }, index) => Math.abs(tSeconds! - times[index]!) < 1e-5),
    'at the same times',
  );
});

interface Segment {
  readonly from?: number;
  readonly to?: number;
  readonly sequence: number;
  readonly flags?: string;
  readonly payload?: string;
}

/** A pcap of raw IP packets; odd ports are sources. */
function capture(segments: readonly Segment[], cut = { at: -1, count: 0 }): Uint8Array {
  const head = [
    word(0xa1b2c3d4, true),
    hexBytes('0200 0400'),
    word(0, true),
    word(0, true),
    word(65_535, true),
  ];
  const packets = segments.flatMap(
    ({ from = 1001, to = 4444, sequence, flags = '10', payload = '' }, index) => {
      const ports = [from, to].map((port) => port.toString(16).padStart(4, '0')).join('');
      const numbers = Buffer.from(word(sequence, false)).toString('hex');
      const tcp = hexBytes(`${ports} ${numbers} 00000000 50 ${flags} ffff 00000000 ${payload}`);
      const packet = ipv4(tcp);
      // 10.0.0.1 is the source's machine in both directions, told by its odd port.
      if (from % 2 === 0) packet.set(hexBytes('0a000002 0a000001'), 12);
      const cutBytes = index === cut.at ? cut.count : 0;
      const kept = packet.subarray(0, packet.length - cutBytes);
      return [word(index, true), word(0, true), word(kept.length, true), word(packet.length, true), kept];
    },
  );
  return Buffer.concat([...head, word(101, true), ...packets]);
}

const read = (segments: readonly Segment[], port?: number, cut?: { at: number; count: number }) =>
  all(readCapture('hand-made', port, inPieces(capture(segments, cut))));
const show = (pieces: readonly RecordedPiece[]) =>
  pieces.map(({ tSeconds, conn, dir, bytes, gap }) => [
    tSeconds,
    conn,
    dir,
    Buffer.from(bytes).toString('hex'),
    ...(gap === undefined ? [] : [gap.code]),
  ]);

const SYN = '02';
const SYN_ACK = '12';
const QEVM = '5145564d 00000003';

t.test('connections are found by QEVM, and others by where they go', async (t) => {
  const other = { from: 1003, to: 80, sequence: 1, payload: '47455420' };
  const pieces = await read([
    other,
    { sequence: 9, flags: SYN },
    { from: 1005, sequence: 50, flags: SYN },
    { from: 4444, to: 1001, sequence: 70, flags: SYN_ACK },
    { sequence: 10, payload: QEVM },
    { from: 4444, to: 1001, sequence: 71, payload: '0002' },
    { from: 1005, sequence: 51, payload: '00000000' },
  ]);
  t.strictSame(show(pieces), [
    [0, 0, 'fwd', '5145564d00000003'],
    [1, 0, 'ret', '0002'],
    [2, 1, 'fwd', '00000000'],
  ]);
});

t.test('without SYN the port tells which end is the destination', async (t) => {
  const segments = [
    { from: 4444, to: 1001, sequence: 71, payload: '0002' },
    { sequence: 10, payload: '08' },
  ];
  t.strictSame(show(await read(segments, 4444)), [
    [0, 0, 'ret', '0002'],
    [1, 0, 'fwd', '08'],
  ]);
  await t.rejects(read(segments), { code: 'no-migration-in-capture', message: /10\.0\.0\.2:4444/ });
  await t.rejects(read([]), { code: 'no-migration-in-capture', message: /none at all/ });
});

t.test('a new SYN on the same ports is a new connection', async (t) => {
  const pieces = await read([
    { sequence: 9, flags: SYN },
    { sequence: 10, payload: QEVM },
    { sequence: 900, flags: SYN },
    { sequence: 901, payload: QEVM },
  ]);
  t.strictSame(
    pieces.map(({ conn }) => conn),
    [0, 1],
  );
});

t.test('a segment that is missing is told, with what was before it', async (t) => {
  const pieces = await read([
    { sequence: 9, flags: SYN },
    { sequence: 10, payload: QEVM },
    { sequence: 20, payload: '0700' },
  ]);
  t.strictSame(show(pieces), [
    [0, 0, 'fwd', '5145564d00000003'],
    [1, 0, 'fwd', '', 'capture-gap'],
  ]);
  t.match(pieces[1]!.gap!.message, '2 bytes behind offset 8');
});

t.test('a packet that the capture has cut is told, and nothing behind it', async (t) => {
  const cut = [
    { sequence: 9, flags: SYN },
    { sequence: 10, payload: `${QEVM} 0102` },
  ];
  const expected = [
    [0, 0, 'fwd', '5145564d0000000301'],
    [0, 0, 'fwd', '', 'capture-gap'],
  ];
  t.strictSame(show(await read(cut, undefined, { at: 1, count: 1 })), expected);
  const repeated = [...cut, { sequence: 10, payload: `${QEVM} 0102` }, { sequence: 20, payload: '07' }];
  t.strictSame(show(await read(repeated, undefined, { at: 1, count: 1 })), expected);
});

t.test('a packed capture is unpacked', async (t) => {
  const packed = gzipSync(capture([{ sequence: 1, payload: QEVM }]));
  await t.rejects(
    all(readCapture('packed', undefined, inPieces(packed))),
    { code: 'bad-capture' },
    'not here',
  );
  t.equal(
    (await all(readCapture(fixture('loopback.pcap.gz'), undefined)))[0]!.bytes[0],
    0x51,
    'but from a file',
  );
});
