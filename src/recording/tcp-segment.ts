// Finds the TCP segment in a captured packet, under whatever link layer it was captured.
import { badCapture, type CapturedPacket } from './captured-packet.ts';

/** One end of a TCP connection, as `address:port`. */
export type Endpoint = string;

/** A TCP segment. */
export interface TcpSegment {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly toPort: number;
  readonly fromPort: number;
  /** Sequence number of its first byte, 32 bits. */
  readonly sequence: number;
  readonly isSyn: boolean;
  readonly isAck: boolean;
  readonly isFin: boolean;
  readonly isReset: boolean;
  readonly payload: Uint8Array;
  /** Bytes of payload that the capture has cut off. */
  readonly cutBytes: number;
}

const LINK = {
  NULL: 0,
  ETHERNET: 1,
  RAW_BSD: 12,
  RAW_OPENBSD: 14,
  RAW: 101,
  LOOP: 108,
  LINUX_SLL: 113,
  IPV4: 228,
  IPV6: 229,
  LINUX_SLL2: 276,
} as const;
const ETHERTYPE = {
  IPV4: 0x0800,
  IPV6: 0x86dd,
  VLAN: 0x8100,
  VLAN_STACKED: 0x88a8,
  VLAN_OLD: 0x9100,
} as const;
const VLAN_TYPES: readonly number[] = [ETHERTYPE.VLAN, ETHERTYPE.VLAN_STACKED, ETHERTYPE.VLAN_OLD];
const PROTOCOL = {
  HOP_BY_HOP: 0,
  TCP: 6,
  ROUTING: 43,
  FRAGMENT: 44,
  AUTHENTICATION: 51,
  OPTIONS: 60,
} as const;
const FLAG = { FIN: 0x01, SYN: 0x02, RESET: 0x04, ACK: 0x10 } as const;

/** An IP packet's payload that is TCP. */
interface TcpBytes {
  readonly source: string;
  readonly destination: string;
  readonly bytes: Uint8Array;
  /** Bytes of it that the capture has cut off. */
  readonly cutBytes: number;
}

function be16(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!;
}

/** Where the IP packet begins, or undefined for another protocol. */
function ipOffset(linkType: number, bytes: Uint8Array): number | undefined {
  const ifIp = (typeAt: number, at: number): number | undefined => {
    const type = be16(bytes, typeAt);
    return type === ETHERTYPE.IPV4 || type === ETHERTYPE.IPV6 ? at : undefined;
  };
  switch (linkType) {
    case LINK.ETHERNET: {
      let typeAt = 12;
      while (VLAN_TYPES.includes(be16(bytes, typeAt))) typeAt += 4;
      return ifIp(typeAt, typeAt + 2);
    }
    case LINK.LINUX_SLL:
      return ifIp(14, 16);
    case LINK.LINUX_SLL2:
      return ifIp(0, 20);
    case LINK.NULL:
    case LINK.LOOP:
      return 4; // the word before it numbers the family differently on each system; the IP version tells too
    case LINK.RAW:
    case LINK.RAW_BSD:
    case LINK.RAW_OPENBSD:
    case LINK.IPV4:
    case LINK.IPV6:
      return 0;
    default:
      throw badCapture(
        `expected link type Ethernet, Linux cooked (1 or 2), null, loop or raw IP, found ${linkType}`,
      );
  }
}

function tcpInIpv4(bytes: Uint8Array, originalBytes: number): TcpBytes | undefined {
  const headBytes = (bytes[0]! % 16) * 4;
  const fragment = be16(bytes, 6) % 0x4000; // without "don't fragment"
  if (headBytes < 20 || bytes[9] !== PROTOCOL.TCP || fragment !== 0) return undefined;
  // A packet that the network card is to split may have no length yet.
  const totalBytes = be16(bytes, 2) || originalBytes;
  const address = (at: number): string => bytes.subarray(at, at + 4).join('.');
  const end = Math.min(totalBytes, bytes.length);
  return {
    source: address(12),
    destination: address(16),
    bytes: bytes.subarray(headBytes, end),
    cutBytes: totalBytes - end,
  };
}

function tcpInIpv6(bytes: Uint8Array, originalBytes: number): TcpBytes | undefined {
  const totalBytes = be16(bytes, 4) === 0 ? originalBytes : 40 + be16(bytes, 4);
  let protocol = bytes[6]!;
  let at = 40;
  for (; protocol !== PROTOCOL.TCP; ) {
    const isKnown =
      protocol === PROTOCOL.HOP_BY_HOP || protocol === PROTOCOL.ROUTING || protocol === PROTOCOL.OPTIONS;
    if (at + 2 > bytes.length) return undefined;
    const next = bytes[at]!;
    if (isKnown) at += (bytes[at + 1]! + 1) * 8;
    else if (protocol === PROTOCOL.AUTHENTICATION) at += (bytes[at + 1]! + 2) * 4;
    else return undefined;
    protocol = next;
  }
  const address = (start: number): string => {
    const words = Array.from({ length: 8 }, (_, index) => be16(bytes, start + 2 * index).toString(16));
    return `[${words.join(':')}]`;
  };
  const end = Math.min(totalBytes, bytes.length);
  return {
    source: address(8),
    destination: address(24),
    bytes: bytes.subarray(at, end),
    cutBytes: totalBytes - end,
  };
}

/**
 * The TCP segment of a packet; undefined for everything else, IP fragments among it.
 *
 * @throws TransportError `bad-capture` for a link type that we do not know
 */
export function tcpSegment({
  linkType,
  bytes: frame,
  originalBytes,
}: CapturedPacket): TcpSegment | undefined {
  const start = ipOffset(linkType, frame);
  if (start === undefined || start >= frame.length) return undefined;
  const packet = frame.subarray(start);
  const version = packet[0]! >> 4;
  const isWhole = (version === 4 && packet.length >= 20) || (version === 6 && packet.length >= 40);
  if (!isWhole) return undefined;
  const tcp = (version === 4 ? tcpInIpv4 : tcpInIpv6)(packet, originalBytes - start);
  if (tcp === undefined || tcp.bytes.length < 20) return undefined;
  const { bytes } = tcp;
  const headBytes = Math.floor(bytes[12]! / 16) * 4;
  if (headBytes < 20) return undefined;
  const flags = bytes[13]!;
  return {
    from: `${tcp.source}:${be16(bytes, 0)}`,
    to: `${tcp.destination}:${be16(bytes, 2)}`,
    fromPort: be16(bytes, 0),
    toPort: be16(bytes, 2),
    sequence: be16(bytes, 4) * 0x1_0000 + be16(bytes, 6),
    isSyn: (flags & FLAG.SYN) !== 0,
    isAck: (flags & FLAG.ACK) !== 0,
    isFin: (flags & FLAG.FIN) !== 0,
    isReset: (flags & FLAG.RESET) !== 0,
    payload: bytes.subarray(Math.min(headBytes, bytes.length)),
    cutBytes: tcp.cutBytes,
  };
}
