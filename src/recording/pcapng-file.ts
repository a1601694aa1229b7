// Reads pcapng files: any number of sections, each with its byte order and its interfaces.
import { badCapture, type CapturedPacket, CaptureView, checkPacketBytes } from './captured-packet.ts';
import type { ByteQueue } from './file-bytes.ts';

const BLOCK = { SECTION: 0x0a0d0d0a, INTERFACE: 1, PACKET: 2, SIMPLE_PACKET: 3, ENHANCED_PACKET: 6 } as const;
const OPTION = { END: 0, TIME_RESOLUTION: 9 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const BLOCK_HEAD_BYTES = 8;
const TAIL_BYTES = 4;
/** A block holds at most a packet and its options. */
const BLOCK_LIMIT_BYTES = 32 * 2 ** 20;

interface CaptureInterface {
  readonly linkType: number;
  readonly unitsPerSecond: number;
}

interface Block {
  readonly type: number;
  readonly body: Uint8Array;
}

/** Whether a file that begins so is pcapng. */
export function isPcapng(magic: Uint8Array): boolean {
  return new CaptureView(magic, true).u32(0) === BLOCK.SECTION; // reads the same in both byte orders
}

/** Reads blocks, and from each section's first one the byte order. */
class BlockReader {
  isLittle = true;
  readonly #input: ByteQueue;

  constructor(input: ByteQueue) {
    this.#input = input;
  }

  /** The next block, or undefined at the end of the file or in a block that it cuts. */
  async next(): Promise<Block | undefined> {
    const head = await this.#input.exactly(BLOCK_HEAD_BYTES);
    if (head.length < BLOCK_HEAD_BYTES) return undefined;
    const type = new CaptureView(head, this.isLittle).u32(0);
    if (type === BLOCK.SECTION) await this.#findByteOrder();
    const totalBytes = new CaptureView(head, this.isLittle).u32(4);
    const isGood = totalBytes >= BLOCK_HEAD_BYTES + TAIL_BYTES && totalBytes % 4 === 0;
    if (!isGood || totalBytes > BLOCK_LIMIT_BYTES) {
      throw badCapture(`expected a pcapng block of 12 to ${BLOCK_LIMIT_BYTES} bytes, found ${totalBytes}`);
    }
    const rest = await this.#input.exactly(totalBytes - BLOCK_HEAD_BYTES);
    if (rest.length < totalBytes - BLOCK_HEAD_BYTES) return undefined;
    return { type, body: rest.subarray(0, rest.length - TAIL_BYTES) };
  }

  async #findByteOrder(): Promise<void> {
    const magic = await this.#input.exactly(4);
    this.#input.unread(magic);
    if (magic.length < 4) return;
    const orders = [true, false].filter(
      (isLittle) => new CaptureView(magic, isLittle).u32(0) === BYTE_ORDER_MAGIC,
    );
    if (orders.length === 0) throw badCapture('expected the byte-order magic of a pcapng section');
    this.isLittle = orders[0]!;
  }
}

/** Packets of a pcapng file. A cut last block ends it. @throws TransportError `bad-capture` */
export async function* pcapngPackets(input: ByteQueue): AsyncGenerator<CapturedPacket> {
  const reader = new BlockReader(input);
  let interfaces: CaptureInterface[] = [];
  let first: { high: number; low: number } | undefined;
  for (let block = await reader.next(); block !== undefined; block = await reader.next()) {
    const { type, body } = block;
    const view = new CaptureView(body, reader.isLittle);
    if (type === BLOCK.SECTION) interfaces = [];
    else if (type === BLOCK.INTERFACE) interfaces.push(readInterface(body, reader.isLittle));
    else if (type === BLOCK.SIMPLE_PACKET) {
      const originalBytes = need(body, 4) && view.u32(0);
      const bytes = body.subarray(4, 4 + Math.min(originalBytes, body.length - 4));
      yield { tSeconds: undefined, linkType: interfaceAt(interfaces, 0).linkType, bytes, originalBytes };
    } else if (type === BLOCK.ENHANCED_PACKET || type === BLOCK.PACKET) {
      need(body, 20);
      // The obsolete block has a count of drops in the upper half.
      const index = type === BLOCK.PACKET ? view.u16(0) : view.u32(0);
      const { linkType, unitsPerSecond } = interfaceAt(interfaces, index);
      const time = { high: view.u32(4), low: view.u32(8) };
      first ??= time;
      const capturedBytes = view.u32(12);
      checkPacketBytes(capturedBytes);
      need(body, 20 + capturedBytes);
      const units = (time.high - first.high) * 2 ** 32 + (time.low - first.low);
      const bytes = body.subarray(20, 20 + capturedBytes);
      yield { tSeconds: units / unitsPerSecond, linkType, bytes, originalBytes: view.u32(16) };
    }
    // Other blocks (name resolution, statistics, comments) tell nothing of packets.
  }
}

function need(body: Uint8Array, lengthBytes: number): true {
  if (body.length >= lengthBytes) return true;
  throw badCapture(`expected a pcapng block with ${lengthBytes} bytes of body, found ${body.length}`);
}

function interfaceAt(interfaces: readonly CaptureInterface[], index: number): CaptureInterface {
  const found = interfaces[index];
  if (found === undefined) throw badCapture(`a packet of interface ${index}, which no block describes`);
  return found;
}

function readInterface(body: Uint8Array, isLittle: boolean): CaptureInterface {
  need(body, 8);
  const view = new CaptureView(body, isLittle);
  let unitsPerSecond = 1e6;
  for (let at = 8; at + 4 <= body.length; ) {
    const code = view.u16(at);
    const lengthBytes = view.u16(at + 2);
    if (code === OPTION.END) break;
    if (code === OPTION.TIME_RESOLUTION && lengthBytes >= 1) {
      need(body, at + 5);
      const value = body[at + 4]!;
      unitsPerSecond = value < 128 ? 10 ** value : 2 ** (value - 128);
    }
    at += 4 + Math.ceil(lengthBytes / 4) * 4;
  }
  return { linkType: view.u16(0), unitsPerSecond };
}
