// What a packet capture file holds, whichever of the two formats it has.
import { TransportError } from '../errors.ts';

/** One captured packet. */
export interface CapturedPacket {
  /** Seconds since the first packet of the file; undefined where none was written down. */
  readonly tSeconds: number | undefined;
  /** LINKTYPE_ number that says how the bytes begin. */
  readonly linkType: number;
  readonly bytes: Uint8Array;
  /** Bytes that the packet had before the capture cut it. */
  readonly originalBytes: number;
}

/** tcpdump's largest snapshot length is 256 KiB. */
export const PACKET_LIMIT_BYTES = 16 * 2 ** 20;

/** The error of a capture file that breaks its format. */
export function badCapture(message: string): TransportError {
  return new TransportError('bad-capture', message);
}

/** Checks a packet's length before its bytes are awaited. @throws TransportError `bad-capture` */
export function checkPacketBytes(lengthBytes: number): void {
  if (lengthBytes <= PACKET_LIMIT_BYTES) return;
  throw badCapture(`expected a packet of at most ${PACKET_LIMIT_BYTES} bytes, found ${lengthBytes}`);
}

/** Numbers in the byte order of the machine that wrote a capture. */
export class CaptureView {
  readonly #view: DataView;
  readonly #isLittle: boolean;

  constructor(bytes: Uint8Array, isLittle: boolean) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#isLittle = isLittle;
  }

  u16(at: number): number {
    return this.#view.getUint16(at, this.#isLittle);
  }

  u32(at: number): number {
    return this.#view.getUint32(at, this.#isLittle);
  }
}
