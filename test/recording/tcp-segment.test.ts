// A TCP segment is found under every link layer, and nothing else is taken for one.
import fc from 'fast-check';
import t from 'tap';
import { tcpSegment } from '../../src/recording/tcp-segment.ts';
import { hexBytes, ipv4, ipv6, TCP_ABC } from './captured-bytes.ts';

const SEED = 20180418;
const MACS = '112233445566 aabbccddeeff';
const IPV4_LINKS: Readonly<Record<string, readonly [number, string]>> = {
  Ethernet: [1, `${MACS} 0800`],
  'Ethernet with a VLAN': [1, `${MACS} 8100 0005 0800`],
  'Ethernet with two VLANs': [1, `${MACS} 88a8 0005 8100 0006 0800`],
  'null, little endian': [0, '02000000'],
  'null, big endian': [0, '00000002'],
  loop: [108, '00000002'],
  'Linux cooked v1': [113, '0000 0304 0006 0000000000000000 0800'],
  'Linux cooked v2': [276, '0800 0000 00000001 0304 00 06 0000000000000000'],
  raw: [101, ''],
  'raw of OpenBSD': [14, ''],
  IPv4: [228, ''],
};
const IPV6_LINKS: typeof IPV4_LINKS = {
  Ethernet: [1, `${MACS} 86dd`],
  'null of macOS': [0, '1e000000'],
  'Linux cooked v1': [113, '0000 0304 0006 0000000000000000 86dd'],
  'Linux cooked v2': [276, '86dd 0000 00000001 0304 00 06 0000000000000000'],
  raw: [101, ''],
  IPv6: [229, ''],
};

function segmentIn(linkType: number, head: string, packet: Uint8Array, trailer = '') {
  const bytes = Buffer.concat([hexBytes(head), packet, hexBytes(trailer)]);
  return tcpSegment({ tSeconds: 0, linkType, bytes, originalBytes: bytes.length });
}

const EXPECTED = {
  fromPort: 1000,
  toPort: 4444,
  sequence: 100,
  isSyn: false,
  isAck: true,
  isFin: false,
  isReset: false,
  cutBytes: 0,
};

for (const [name, [linkType, head]] of Object.entries(IPV4_LINKS)) {
  t.test(`IPv4 in ${name}`, async (t) => {
    const segment = segmentIn(linkType, head, ipv4(TCP_ABC), '000000');
    t.match(segment, { ...EXPECTED, from: '10.0.0.1:1000', to: '10.0.0.2:4444' });
    t.equal(Buffer.from(segment!.payload).toString(), 'abc', 'without the padding of the frame');
  });
}

for (const [name, [linkType, head]] of Object.entries(IPV6_LINKS)) {
  t.test(`IPv6 in ${name}`, async (t) => {
    const segment = segmentIn(linkType, head, ipv6(TCP_ABC));
    t.match(segment, { ...EXPECTED, from: '[0:0:0:0:0:0:0:1]:1000', to: '[0:0:0:0:0:0:0:2]:4444' });
    t.equal(Buffer.from(segment!.payload).toString(), 'abc');
  });
}

t.test('options of TCP are not payload', async (t) => {
  const tcp = hexBytes('03e8 115c 00000064 00000001 80 12 ffff 0000 0000 0101080a 00000001 00000002 7a');
  const segment = segmentIn(101, '', ipv4(tcp));
  t.match(segment, { isSyn: true, isAck: true });
  t.equal(Buffer.from(segment!.payload).toString(), 'z');
});

t.test('a packet cut by the snapshot length tells what is missing', async (t) => {
  const bytes = ipv4(TCP_ABC).subarray(0, 41);
  const segment = tcpSegment({ tSeconds: 0, linkType: 101, bytes, originalBytes: 43 });
  t.match(segment, { cutBytes: 2 });
  t.equal(segment!.payload.length, 1);
});

t.test('what is not TCP is left out', async (t) => {
  t.equal(segmentIn(1, `${MACS} 0806`, hexBytes('0001 0800')), undefined, 'ARP');
  t.equal(segmentIn(101, '', ipv4(TCP_ABC, { protocol: '11' })), undefined, 'UDP');
  t.equal(segmentIn(101, '', ipv4(TCP_ABC, { fragment: '2000' })), undefined, 'first fragment');
  t.equal(segmentIn(101, '', ipv4(TCP_ABC, { fragment: '0005' })), undefined, 'later fragment');
  t.throws(() => segmentIn(147, '', ipv4(TCP_ABC)), { code: 'bad-capture' });
});

t.test('no packet makes it fail otherwise', async () => {
  const linkType = fc.constantFrom(0, 1, 12, 101, 108, 113, 228, 229, 276);
  fc.assert(
    fc.property(linkType, fc.uint8Array({ maxLength: 90 }), (link, bytes) => {
      const segment = tcpSegment({ tSeconds: 0, linkType: link, bytes, originalBytes: bytes.length });
      return segment === undefined || segment.payload.length <= bytes.length;
    }),
    { seed: SEED, numRuns: 5000 },
  );
});
