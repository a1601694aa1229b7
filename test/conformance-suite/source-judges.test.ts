// What a source sends is judged rule by rule: each fault is found by its rule, and a faultless stream by none.
import t from 'tap';
import { ExchangeRecorder } from '../../src/conformance/exchange.ts';
import type { CheckedRule, Finding } from '../../src/conformance/rule.ts';
import { SOURCE_RETURN_PATH_RULES } from '../../src/conformance/source-rules-return-path.ts';
import { SOURCE_STREAM_RULES } from '../../src/conformance/source-rules-stream.ts';
import { SOURCE_VARIANT_RULES } from '../../src/conformance/source-rules-variants.ts';
import { encodeCommand } from '../../src/protocol/commands.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import {
  encodeEos,
  encodeRamList,
  encodeRecordHead,
  encodeZeroRecord,
  RAM_FLAG,
} from '../../src/protocol/ram-records.ts';
import { encodeReturnPath } from '../../src/protocol/return-path-messages.ts';
import { encodeHeader, encodeSection } from '../../src/protocol/sections.ts';

const RAM_SECTION = 2;
const PAGE_BYTES = 4096;
const PAGE_COUNT = 128;
const LENGTH = PAGE_COUNT * PAGE_BYTES;
const subject = {
  role: 'source',
  profile: 'strict',
  machine: 'none',
  blocks: [{ name: 'm0', lengthBytes: LENGTH, hostPageBytes: PAGE_BYTES }],
  recorded: undefined,
  requests: false,
  timeoutMs: 1000,
  hasVariant: () => true,
} as const;

const footer = (sectionId = RAM_SECTION): Uint8Array => encodeSection('SECTION_FOOTER', { sectionId });
const page = (index: number, block?: string): Uint8Array =>
  joinBytes([
    encodeRecordHead(index * PAGE_BYTES, RAM_FLAG.PAGE, block),
    new Uint8Array(PAGE_BYTES).fill(index + 1),
  ]);
const part = (): Uint8Array => encodeSection('SECTION_PART', { sectionId: RAM_SECTION });
const discard = (first: number, count: number): Uint8Array =>
  encodeCommand('POSTCOPY_RAM_DISCARD', {
    version: 0,
    block: 'm0',
    terminator: 0,
    ranges: [{ start: first * PAGE_BYTES, length: count * PAGE_BYTES }],
  });
const ping = (value: number): Uint8Array => encodeCommand('PING', { value });

type Steps = Record<string, Uint8Array>;

/** The first page sent in postcopy: those before were sent in precopy. */
const FIRST = 4;

/** A small migration by postcopy, step by step; the request comes behind `background`. */
function faultless(): Steps {
  const blob = joinBytes([
    encodeCommand('POSTCOPY_LISTEN', {}),
    encodeSection('SECTION_FULL', { sectionId: 3, idstr: 'device', instanceId: 0, versionId: 1 }),
    Uint8Array.of(1, 2, 3, 4),
    footer(3),
    ping(3),
    encodeCommand('POSTCOPY_RUN', {}),
  ]);
  const run = (first: number, end: number): Uint8Array =>
    joinBytes(Array.from({ length: end - first }, (_, at) => page(first + at)));
  return {
    header: joinBytes([encodeHeader(), encodeSection('CONFIGURATION', { machine: 'none' })]),
    open: encodeCommand('OPEN_RETURN_PATH', {}),
    ping: ping(1),
    advise: encodeCommand('POSTCOPY_ADVISE', { pageSizeSummary: PAGE_BYTES, targetPageSize: PAGE_BYTES }),
    start: encodeSection('SECTION_START', {
      sectionId: RAM_SECTION,
      idstr: 'ram',
      instanceId: 0,
      versionId: 4,
    }),
    list: encodeRamList([{ block: 'm0', length: LENGTH }]),
    listEnd: joinBytes([encodeEos(), footer()]),
    precopy: joinBytes([part(), page(0, 'm0'), run(1, FIRST)]),
    precopyEnd: joinBytes([encodeEos(), footer()]),
    discards: discard(FIRST, PAGE_COUNT - FIRST),
    pingBefore: ping(2),
    package: joinBytes([encodeCommand('PACKAGED', { length: blob.length }), blob]),
    pingAfter: ping(4),
    part: part(),
    first: page(FIRST, 'm0'),
    background: run(FIRST + 1, 8),
    requested: page(100),
    rest: joinBytes([
      run(8, 100),
      run(101, PAGE_COUNT - 1),
      encodeZeroRecord((PAGE_COUNT - 1) * PAGE_BYTES, undefined),
    ]),
    partEnd: joinBytes([encodeEos(), footer()]),
    end: joinBytes([encodeSection('SECTION_END', { sectionId: RAM_SECTION }), encodeEos(), footer()]),
    eof: encodeSection('EOF', {}),
  };
}

/** The findings of a rule's first check on a run in which the source sent these steps. */
function judge(id: string, steps: Steps, { closesBeforeShut = false } = {}): Finding {
  const exchange = new ExchangeRecorder();
  exchange.opening(0);
  for (const [name, bytes] of Object.entries(steps)) {
    exchange.piece(0, 'fwd', bytes);
    if (name === 'background') {
      const request = { start: 100 * PAGE_BYTES, length: PAGE_BYTES, block: 'm0' };
      exchange.piece(0, 'ret', encodeReturnPath('REQ_PAGES_ID', request));
    }
  }
  if (closesBeforeShut) exchange.ending(0, 'peer');
  exchange.piece(0, 'ret', encodeReturnPath('SHUT', { value: 0 }));
  exchange.ending(0, 'suite');
  const rules = [...SOURCE_STREAM_RULES, ...SOURCE_RETURN_PATH_RULES, ...SOURCE_VARIANT_RULES];
  const [check] = (rules.find((rule) => rule.id === id) as CheckedRule).checks;
  const end = {
    exitCode: 0,
    status: 'completed',
    ramSha256: undefined,
    guestRuns: false,
    lastWords: '',
  };
  return check!.judge({ exchange, end, stalledAt: undefined, peerClosed: closesBeforeShut }, subject);
}

const ON_STREAM = [
  ...[
    'S1',
    'S2',
    'S3',
    'S4',
    'S5',
    'S6',
    'S7',
    'S8',
    'S9',
    'S10',
    'S12',
    'S13',
    'S14',
    'S15',
    'S17',
    'S18',
    'S19',
  ],
  ...['S20', 'S32', 'S33', 'S34', 'S43', 'S46'],
];

t.test('a faultless stream', (t) => {
  for (const id of ON_STREAM) t.match(judge(id, faultless()), { verdict: 'passed' }, id);
  t.end();
});

/** Steps with others in the place of some. */
function but(changed: Steps): Steps {
  return { ...faultless(), ...changed };
}

const NOTHING = new Uint8Array(0);
const {
  background,
  discards,
  end,
  list,
  open,
  ping: firstPing,
  precopy,
  requested,
  rest,
} = faultless() as Record<string, Uint8Array>;

const FAULTS: readonly (readonly [rule: string, what: string, steps: Steps])[] = [
  ['S1', 'PING before OPEN_RETURN_PATH', but({ open: firstPing!, ping: open! })],
  ['S1', 'no PING', but({ ping: NOTHING })],
  ['S2', 'no footer', but({ listEnd: encodeEos() })],
  ['S2', 'a footer with another id', but({ precopyEnd: joinBytes([encodeEos(), footer(7)]) })],
  [
    'S3',
    'another summary',
    but({
      advise: encodeCommand('POSTCOPY_ADVISE', { pageSizeSummary: 2 ** 21, targetPageSize: PAGE_BYTES }),
    }),
  ],
  [
    'S3',
    'another target page',
    but({ advise: encodeCommand('POSTCOPY_ADVISE', { pageSizeSummary: PAGE_BYTES, targetPageSize: 8192 }) }),
  ],
  [
    'S4',
    'ADVISE behind the list',
    but({ advise: NOTHING, discards: joinBytes([faultless()['advise']!, discards!]) }),
  ],
  [
    'S5',
    'a total that is too large',
    but({ list: joinBytes([Uint8Array.of(0, 0, 0, 0, 0, 0x10, 0, 4), list!.subarray(8)]) }),
  ],
  [
    'S5',
    'a total that is too small',
    but({ list: joinBytes([Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 4), list!.subarray(8)]) }),
  ],
  [
    'S6',
    'a page size that is the default',
    but({ list: joinBytes([list!, Uint8Array.of(0, 0, 0, 0, 0, 0, 0x10, 0)]) }),
  ],
  ['S7', 'no name behind the discards', but({ first: page(FIRST) })],
  ['S7', 'no name on the first page', but({ precopy: joinBytes([part(), page(0)]) })],
  ['S8', 'no EOS', but({ precopyEnd: footer() })],
  ['S9', 'fill byte 7', but({ background: encodeZeroRecord(5 * PAGE_BYTES, undefined, 7) })],
  ['S10', 'XBZRLE', but({ background: encodeRecordHead(5 * PAGE_BYTES, RAM_FLAG.XBZRLE, undefined) })],
  [
    'S10',
    'a compressed page',
    but({ background: encodeRecordHead(5 * PAGE_BYTES, RAM_FLAG.COMPRESS_PAGE, undefined) }),
  ],
  ['S12', 'a page that was never sent, and not discarded', but({ discards: discard(FIRST, 100) })],
  [
    'S12',
    'a discard that is no page',
    but({
      discards: encodeCommand('POSTCOPY_RAM_DISCARD', {
        version: 0,
        block: 'm0',
        terminator: 0,
        ranges: [{ start: 512, length: LENGTH - 512 }],
      }),
    }),
  ],
  [
    'S13',
    '13 ranges',
    but({
      discards: encodeCommand('POSTCOPY_RAM_DISCARD', {
        version: 0,
        block: 'm0',
        terminator: 0,
        ranges: Array.from({ length: 13 }, (_, at) => ({
          start: (FIRST + at) * PAGE_BYTES,
          length: PAGE_BYTES,
        })),
      }),
    }),
  ],
  [
    'S14',
    'a page behind the discards',
    but({ pingBefore: joinBytes([part(), page(1, 'm0'), encodeEos(), footer()]) }),
  ],
  ['S14', 'a discard behind the package', but({ pingAfter: discards! })],
  [
    'S15',
    'no LISTEN at the beginning',
    but({
      package: packageOf([ping(9), encodeCommand('POSTCOPY_LISTEN', {}), encodeCommand('POSTCOPY_RUN', {})]),
    }),
  ],
  [
    'S15',
    'a discard inside',
    but({
      package: packageOf([
        encodeCommand('POSTCOPY_LISTEN', {}),
        discards!,
        encodeCommand('POSTCOPY_RUN', {}),
      ]),
    }),
  ],
  ['S17', 'a second ADVISE', but({ pingAfter: faultless()['advise']! })],
  ['S18', 'a page twice', but({ background: joinBytes([background!, page(5)]) })],
  ['S18', 'a page of no block', but({ background: joinBytes([page(5, 'm9'), page(6, 'm0')]) })],
  ['S19', 'a page that precopy sent', but({ background: joinBytes([background!, page(0)]) })],
  ['S20', 'the requested page last', but({ requested: NOTHING, rest: joinBytes([rest!, requested!]) })],
  ['S20', 'no answer', but({ requested: NOTHING })],
  ['S32', 'EOF twice', but({ eof: Uint8Array.of(0, 0) })],
  ['S32', 'no END', but({ end: NOTHING })],
  [
    'S32',
    'a description',
    but({ eof: joinBytes([encodeSection('EOF', {}), encodeSection('VMDESCRIPTION', { json: '{}' })]) }),
  ],
  ['S33', 'a page missing', but({ background: page(5) })],
  ['S43', 'SWITCHOVER_START', but({ pingBefore: encodeCommand('SWITCHOVER_START', {}) })],
  [
    'S46',
    'MULTIFD_FLUSH',
    but({
      end: joinBytes([
        end!.subarray(0, 5),
        encodeRecordHead(0, RAM_FLAG.MULTIFD_FLUSH, undefined),
        encodeEos(),
        footer(),
      ]),
    }),
  ],
];

function packageOf(contents: readonly Uint8Array[]): Uint8Array {
  const blob = joinBytes(contents);
  return joinBytes([encodeCommand('PACKAGED', { length: blob.length }), blob]);
}

t.test('each fault is found by its rule', (t) => {
  for (const [rule, what, steps] of FAULTS)
    t.match(judge(rule, steps), { verdict: 'failed' }, `${rule}: ${what}`);
  t.match(
    judge('S34', faultless(), { closesBeforeShut: true }),
    { verdict: 'failed' },
    'S34: gone before SHUT',
  );
  t.strictSame([...precopy!.subarray(0, 1)], [2], 'the steps are those of a stream');
  t.end();
});
