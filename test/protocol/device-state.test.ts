// The footer search: found at every split, not fooled by what imitates a footer, and bounded.
import t from 'tap';
import { LimitError } from '../../src/errors.ts';
import { DEVICE_STATE_LIMIT_BYTES, DeviceStateCollector } from '../../src/protocol/device-state.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { StreamDecoder, type StreamRecord } from '../../src/protocol/stream-decoder.ts';
import { parseHex } from '../conformance/vectors.ts';
import { SilentSink } from './silent-sink.ts';

const HEAD = parseHex('04 00000009 03 "dev" 00000000 00000001');
const FOOTER = parseHex('7e 00000009');

/** Payloads that hold a footer's bytes, followed by what no section can begin with. */
const IMITATIONS = {
  'a footer and a byte that is no section type': '7e00000009 09',
  'a footer and its own marker': '7e00000009 7e00000008',
  'a footer and an unknown command': '7e00000009 08 0000 08 4444',
  'a footer and a section without a name': '7e00000009 04 00000001 00',
  'a footer and a section with an unprintable name': '7e00000009 01 00000001 04 07',
  'a footer of another section and EOF': '7e0000000a 00',
  'the first half of a footer': '7e0000',
  'a footer behind the first byte of one': '7e 7e00000009 09',
};
const FOLLOWERS = {
  EOF: '00',
  'a section PART': '02 00000001',
  'a section START': '01 00000001 03 "ram" 00000000 00000004',
  'a device': '04 0000000a 04 "next" 00000000 00000001 aabb 7e 0000000a 00',
  'a command': '08 0002 0004 00000003',
};

class PayloadSink extends SilentSink {
  readonly payloads: number[][] = [];

  override record(record: StreamRecord): void {
    if (record.name === 'DEVICE_STATE') this.payloads.push([...record.payload]);
  }
}

for (const [imitation, payloadHex] of Object.entries(IMITATIONS)) {
  for (const [follower, followerHex] of Object.entries(FOLLOWERS)) {
    t.test(`${imitation}, then ${follower}`, async (t) => {
      const payload = parseHex(payloadHex);
      const bytes = joinBytes([HEAD, payload, FOOTER, parseHex(followerHex)]);
      const wrong: number[] = [];
      for (let split = 0; split <= bytes.length; split += 1) {
        const sink = new PayloadSink();
        // A section PART of an id that was never announced is refused, behind the payload that is looked at here.
        const decoder = new StreamDecoder(sink, { profile: 'strict', begins: 'sections', stream: 'main' });
        try {
          decoder.push(bytes, 0, split);
          decoder.push(bytes, split);
        } catch (error) {
          t.match(error, { code: 'unknown-section-id' });
        }
        if (String(sink.payloads[0]) !== String([...payload])) wrong.push(split);
      }
      t.strictSame(wrong, [], 'splits at which the payload was another');
    });
  }
}

t.test('a payload of known length is not searched', async (t) => {
  class KnownSink extends PayloadSink {
    override deviceStateBytes(idstr: string, versionId: number): number | undefined {
      return idstr === 'dev' && versionId === 1 ? 6 : undefined;
    }
  }
  const payload = parseHex('7e00000009 00');
  const bytes = joinBytes([HEAD, payload, FOOTER, Uint8Array.of(0)]);
  for (let split = 0; split <= bytes.length; split += 1) {
    const sink = new KnownSink();
    const decoder = new StreamDecoder(sink, { profile: 'strict', begins: 'sections', stream: 'main' });
    decoder.push(bytes, 0, split);
    decoder.push(bytes, split);
    decoder.end();
    t.strictSame(sink.payloads, [[...payload]]);
  }
});

t.test('state without a footer is refused at the limit, in whatever pieces it comes', async (t) => {
  const piece = new Uint8Array(8 * 1024 * 1024);
  const collector = new DeviceStateCollector(9, undefined);
  const refused = { name: LimitError.name, code: 'device-state-too-large' };
  for (let held = 0; held + piece.length < DEVICE_STATE_LIMIT_BYTES; held += piece.length) {
    t.strictSame(collector.collect(piece, 0, piece.length), { at: piece.length });
  }
  t.throws(() => collector.collect(piece, 0, piece.length), refused);
  const whole = new Uint8Array(DEVICE_STATE_LIMIT_BYTES + 10);
  whole.set(FOOTER, DEVICE_STATE_LIMIT_BYTES - 2);
  t.throws(() => new DeviceStateCollector(9, undefined).collect(whole, 0, whole.length), refused);
});

t.test('a hundred thousand devices in one input take neither a deep stack nor quadratic time', async (t) => {
  const one = joinBytes([HEAD, parseHex('00'), FOOTER]);
  const bytes = new Uint8Array(100_000 * one.length + 1);
  for (let at = 0; at + one.length < bytes.length; at += one.length) bytes.set(one, at);
  const sink = new PayloadSink();
  const decoder = new StreamDecoder(sink, { profile: 'strict', begins: 'sections', stream: 'main' });
  decoder.push(bytes);
  decoder.end();
  t.equal(sink.payloads.length, 100_000);
});
