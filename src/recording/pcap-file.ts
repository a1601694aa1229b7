// Reads pcap files as tcpdump writes them: times in us or ns, either byte order.
import { badCapture, type CapturedPacket, CaptureView, checkPacketBytes } from './captured-packet.ts';
import type { ByteQueue } from './file-bytes.ts';

const HEADER_BYTES = 24;
const RECORD_HEAD_BYTES = 16;
const MAGIC_US = 0xa1b2c3d4;
const MAGIC_NS = 0xa1b23c4d;

/** Byte order and unit of time, by the four bytes of the magic; undefined if it is not pcap. */
export function pcapFormat(magic: Uint8Array): { isLittle: boolean; unitsPerSecond: number } | undefined {
  for (const isLittle of [false, true]) {
    const value = new CaptureView(magic, isLittle).u32(0);
    if (value === MAGIC_US) return { isLittle, unitsPerSecond: 1e6 };
    if (value === MAGIC_NS) return { isLittle, unitsPerSecond: 1e9 };
  }
  return undefined;
}

/** Packets of a pcap file. A cut last record ends it. @throws TransportError `bad-capture` */
export async function* pcapPackets(input: ByteQueue): AsyncGenerator<CapturedPacket> {
  const header = await input.exactly(HEADER_BYTES);
  if (header.length < HEADER_BYTES) throw badCapture(`expected a pcap header of ${HEADER_BYTES} bytes`);
  const format = pcapFormat(header);
  if (format === undefined) throw badCapture('expected the magic of a pcap file');
  const { isLittle, unitsPerSecond } = format;
  // The upper half of the last word tells about frame check sequences.
  const linkType = new CaptureView(header, isLittle).u32(20) % 0x1_0000;
  let first: { seconds: number; units: number } | undefined;
  for (;;) {
    const head = await input.exactly(RECORD_HEAD_BYTES);
    if (head.length < RECORD_HEAD_BYTES) return;
    const view = new CaptureView(head, isLittle);
    const time = { seconds: view.u32(0), units: view.u32(4) };
    first ??= time;
    const capturedBytes = view.u32(8);
    checkPacketBytes(capturedBytes);
    const bytes = await input.exactly(capturedBytes);
    if (bytes.length < capturedBytes) return;
    const tSeconds = time.seconds - first.seconds + (time.units - first.units) / unitsPerSecond;
    yield { tSeconds, linkType, bytes, originalBytes: view.u32(12) };
  }
}
