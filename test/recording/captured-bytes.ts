// Packets and capture files written out by hand, for the tests that read them.

/** Bytes of hexadecimal text; blanks do not count. */
export function hexBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}

/** A TCP segment: ports 1000 to 4444, PSH ACK, the payload `abc`. Checksums are not looked at. */
export const TCP_ABC = hexBytes('03e8 115c 00000064 00000001 50 18 ffff 0000 0000 616263');

/** An IPv4 packet of 10.0.0.1 to 10.0.0.2 with a TCP segment in it. */
export function ipv4(tcp: Uint8Array, options: { fragment?: string; protocol?: string } = {}): Uint8Array {
  const { fragment = '4000', protocol = '06' } = options;
  const totalBytes = (20 + tcp.length).toString(16).padStart(4, '0');
  const head = hexBytes(`45 00 ${totalBytes} 0001 ${fragment} 40 ${protocol} 0000 0a000001 0a000002`);
  return Buffer.concat([head, tcp]);
}

/** An IPv6 packet of ::1 to ::2 with a TCP segment behind a hop-by-hop header. */
export function ipv6(tcp: Uint8Array): Uint8Array {
  const payloadBytes = (8 + tcp.length).toString(16).padStart(4, '0');
  const one = '0000000000000000000000000000000';
  const head = hexBytes(`60000000 ${payloadBytes} 00 40 ${one}1 ${one}2 06 00 010400000000`);
  return Buffer.concat([head, tcp]);
}

/** A number as four bytes in either byte order. */
export function word(value: number, isLittle: boolean): Uint8Array {
  const bytes = Buffer.alloc(4);
  if (isLittle) bytes.writeUInt32LE(value);
  else bytes.writeUInt32BE(value);
  return bytes;
}

/** A number as two bytes in either byte order. */
export function half(value: number, isLittle: boolean): Uint8Array {
  return isLittle ? word(value, true).subarray(0, 2) : word(value, false).subarray(2);
}

/** Bytes in pieces of a size, as a file or a pipe gives them. */
export async function* inPieces(bytes: Uint8Array, pieceBytes = bytes.length): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** All that a generator yields. */
export async function all<T>(generator: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of generator) items.push(item);
  return items;
}
