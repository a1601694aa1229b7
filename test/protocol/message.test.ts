// Every declared message survives its own encoder and decoder, and refuses a payload that its fields do not fill.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { LimitError, ProtocolError } from '../../src/errors.ts';
import { COMMANDS } from '../../src/protocol/commands.ts';
import { type Field, longCounted, nameList, text } from '../../src/protocol/fields.ts';
import type { MessageTable } from '../../src/protocol/message.ts';
import { RAM_LIST_ENTRY, RAM_LIST_PAGE_SIZE, ZERO_BODY } from '../../src/protocol/ram-records.ts';
import { RETURN_PATH_MESSAGES } from '../../src/protocol/return-path-messages.ts';
import { CONFIGURATION_SUBSECTIONS, HEADER, SECTIONS, SUBSECTION_HEAD } from '../../src/protocol/sections.ts';

const TABLES: Record<string, MessageTable> = {
  header: { HEADER, SUBSECTION_HEAD },
  sections: SECTIONS,
  subsections: CONFIGURATION_SUBSECTIONS,
  commands: COMMANDS,
  'ram records': { RAM_LIST_ENTRY, RAM_LIST_PAGE_SIZE, ZERO_BODY },
  'return path': RETURN_PATH_MESSAGES,
};

const latin1 = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.nat(255), { maxLength }).map((codes) => String.fromCharCode(...codes));

/** Values of a field, by the kind that its declaration tells; the longest and the highest are among them. */
const VALUES: Record<string, fc.Arbitrary<unknown>> = {
  u8: fc.nat(255),
  u32: fc.oneof(fc.nat(0xffffffff), fc.constant(0xffffffff)),
  u64: fc.oneof(fc.maxSafeNat(), fc.constant(Number.MAX_SAFE_INTEGER)),
  '16 bytes': fc.uint8Array({ minLength: 16, maxLength: 16 }),
  'u8 n, n bytes': latin1(255),
  'u32 n, n bytes': latin1(256),
  'u32 k, k x (u8 n, n bytes)': fc.array(latin1(255), { maxLength: 64 }),
  'k x (u64 start, u64 length)': fc.array(
    fc.record({ start: fc.maxSafeNat(), length: fc.maxSafeNat() }, { noNullPrototype: true }),
  ),
  'UTF-8 text, at most 500 bytes': fc.string({ unit: 'grapheme', maxLength: 20 }),
};

for (const [title, table] of Object.entries(TABLES)) {
  for (const type of Object.values(table)) {
    t.test(`${title}: ${type.name}`, async (t) => {
      const fields = Object.entries(type.fields as Record<string, Field<unknown>>);
      const values = fc.record(Object.fromEntries(fields.map(([key, field]) => [key, VALUES[field.kind]!])));
      fc.assert(
        fc.property(values, (values) => {
          const bytes = type.encode(values);
          assert.deepStrictEqual({ ...type.decode(bytes) }, { ...values });
          assert.equal(type.measure(bytes, 0, bytes.length), bytes.length);
          if (type.fixedBytes !== undefined) assert.equal(bytes.length, type.fixedBytes);
          assert.match(type.show(values), new RegExp(fields.map(([key]) => `${key}=[^]*`).join(' ')));
        }),
        { seed: 20180418, numRuns: 50 },
      );
      t.pass('50 values');
    });
  }
}

t.test('a payload that the fields do not fill is refused', async (t) => {
  const { REQ_PAGES_ID } = RETURN_PATH_MESSAGES;
  const bytes = REQ_PAGES_ID.encode({ start: 0x123456000, length: 0x1000, block: 'm0' });
  const refused = { name: ProtocolError.name, code: 'bad-payload' };
  for (let length = 0; length < bytes.length; length += 1) {
    t.throws(() => REQ_PAGES_ID.decode(bytes.subarray(0, length)), refused);
    const measured = REQ_PAGES_ID.measure(bytes, 0, length);
    t.ok(measured > length && measured <= bytes.length, `from ${length} bytes on, ${measured} are wanted`);
  }
  t.throws(() => REQ_PAGES_ID.decode(Uint8Array.from([...bytes, 0])), refused);
});

t.test('a length of 4 GiB is refused before it is awaited', async (t) => {
  const huge = Uint8Array.of(255, 255, 255, 255);
  t.throws(() => longCounted(256).measure(huge, 0, 4), { name: LimitError.name, code: 'name-too-long' });
  t.throws(() => nameList(64).measure(huge, 0, 4), { name: LimitError.name, code: 'list-too-long' });
  t.throws(() => text(500).measure(new Uint8Array(501), 0, 501), {
    name: LimitError.name,
    code: 'text-too-long',
  });
});

t.test('a reason is cut to its limit when it is written', async (t) => {
  const bytes = COMMANDS.REASON.encode({ text: 'ü'.repeat(300) });
  t.equal(bytes.length, 500);
  t.equal(COMMANDS.REASON.decode(bytes).text, 'ü'.repeat(250));
});

t.test('a name of 256 bytes is not written', async (t) => {
  t.throws(() => COMMANDS.RECV_BITMAP.encode({ block: 'x'.repeat(256) }), {
    name: LimitError.name,
    code: 'name-too-long',
  });
});
