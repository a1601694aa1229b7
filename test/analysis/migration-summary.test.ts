// Figures of captured migrations, reckoned without this code, and every anomaly seen on a stream that has it.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { WATCHED_RULES } from '../../src/analysis/anomalies.ts';
import { DissectionSession } from '../../src/analysis/dissection-session.ts';
import { type MigrationReport, MigrationSummary } from '../../src/analysis/migration-summary.ts';
import { encodeCommand } from '../../src/protocol/commands.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import {
  encodeEos,
  encodeRamList,
  encodeRecordHead,
  encodeZeroRecord,
  RAM_FLAG,
  type RamListEntry,
} from '../../src/protocol/ram-records.ts';
import { encodeReturnPath } from '../../src/protocol/return-path-messages.ts';
import { encodeHeader, encodeSection } from '../../src/protocol/sections.ts';
import { findRecording, readRecording } from '../../src/recording/recording-reader.ts';
import { repositoryUrl } from '../fixtures.ts';

async function summarize(name: string): Promise<MigrationReport & { readonly totalBytes: number }> {
  const summary = new MigrationSummary();
  const session = new DissectionSession(summary, { profile: '7.2' });
  const files = findRecording(fileURLToPath(repositoryUrl(`test/fixtures/captures/${name}`)))!;
  for await (const { conn, dir, bytes, tSeconds } of readRecording(files))
    session.push(conn, dir, bytes, tSeconds);
  session.end();
  const totalBytes = Object.values(session.pushedBytes).reduce((sum, count) => sum + count, 0);
  return { ...summary.report(totalBytes), totalBytes };
}

// Pages: the README of the captures and QEMU's own counters. Discards: 15 MiB of ram0 and all of the firmware's
// blocks. Latencies: from the index by a script of its own that knows page records and requests and nothing else.
t.test('d1: every figure', async (t) => {
  const report = await summarize('d1-postcopy-4k-bios');
  t.match(report, {
    machine: 'microvm',
    kind: 'postcopy',
    eof: true,
    shut: 0,
    durationSeconds: 3.702694,
    pages: { precopy: { data: 25, zero: 256 }, postcopy: { data: 1054 - 25, zero: 3086 - 256 } },
    pagesByConnection: { c0: { data: 1054, zero: 3086 } },
    discards: { commands: 5, ranges: 5, pages: 3840 + 1 + 16 + 1 + 1, pagesAfterSent: 25 },
    requests: {
      count: 44,
      answered: 37,
      alreadySent: 7,
      repeated: 0,
      unanswered: 0,
      latencyNs: { minimum: 165e3, median: 99_386e3, p99: 100_136e3, maximum: 100_136e3, mean: 96_375_432 },
    },
    returnPath: { PONG: 4, REQ_PAGES_ID: 2, REQ_PAGES: 42, SHUT: 1 },
    bytes: { 'page contents': 1054 * 4096, 'return path REQ_PAGES': 42 * 16, 'return path PONG': 4 * 8 },
    anomalies: [],
  });
  t.match(report.blocks[0], {
    block: 'ram0',
    lengthBytes: 2 ** 24,
    hostPageBytes: 4096,
    discarded: 3840,
    hostPageCount: 4096,
    hostPagesHeld: 4096,
    hostPagesCompletedSinceListen: 3840,
    hostPagesPartial: 0,
    missing: 0,
  });
  t.strictSame(
    report.states.map(({ state, tSeconds }) => [state, tSeconds]),
    [
      ['setup', 0],
      ['advise', 0],
      ['active', 0],
      ['discard', 0.09846],
      ['listening', 0.09846],
      ['running', 0.09846],
      ['completing', 3.698412],
      ['ended', 3.698746],
      ['shut', 3.702694],
    ],
  );
});

t.test('f1: pages and requests over two connections', async (t) => {
  t.match(await summarize('f1-preempt-4k-bios'), {
    pagesByConnection: { c0: { data: 1016, zero: 3086 }, c1: { data: 38, zero: 0 } },
    requests: {
      count: 55,
      answered: 40,
      alreadySent: 15,
      unanswered: 0,
      latencyNs: { minimum: 339e3, median: 99_249e3, maximum: 99_755e3, mean: 92_179_425 },
    },
    anomalies: [],
  });
});

t.test('f2: host pages of 2 MiB beside blocks of 4 KiB', async (t) => {
  const { blocks, requests } = await summarize('f2-preempt-2m-bios');
  t.match(blocks[0], {
    hostPageBytes: 2 ** 21,
    hostPageCount: 8,
    hostPagesHeld: 8,
    hostPagesCompletedSinceListen: 8,
  });
  t.match(blocks[2], { block: 'pc.bios', hostPageBytes: 4096, hostPagesHeld: 16 });
  t.match(requests, { count: 4, answered: 4, latencyNs: { minimum: 290e3, maximum: 96_784e3 } });
});

const NAMES = [
  'a1-precopy-none',
  'a2-precopy-none-returnpath',
  'a4-precopy-bios',
  'b1-postcopy-4k-none',
  'b2-postcopy-4k-none-zero',
  'c1-postcopy-2m-none',
  'd1-postcopy-4k-bios',
  'd2-postcopy-2m-bios',
  'd4-postcopy-4k-bios-rev',
  'e1-mismatch-4k-to-2m',
  'e2-mismatch-2m-to-4k',
  'e3-mismatch-precopy-4k-to-2m',
  'f1-preempt-4k-bios',
  'f2-preempt-2m-bios',
];

for (const name of NAMES) {
  t.test(`${name}: every byte in a class, nothing against the rules but the cut`, async (t) => {
    const { bytes, totalBytes, anomalies } = await summarize(name);
    t.equal(bytes['not decoded'], undefined);
    t.equal(
      Object.values(bytes).reduce((sum, count) => sum + count, 0),
      totalBytes,
    );
    const isCut = name.startsWith('e1') || name.startsWith('e2');
    t.strictSame(
      anomalies.map(({ rule }) => rule),
      isCut ? ['D16'] : [],
    );
  });
}

const HP = 2 ** 14;
const BLOCKS: readonly RamListEntry[] = [
  { block: 'ram', length: 4 * HP, pageSize: HP },
  { block: 'rom', length: 4096 },
];
const PAGES = Array.from({ length: 16 }, (_, index) => index);
const zero = (index: number, block?: string): Uint8Array => encodeZeroRecord(index * 4096, block);
const ram = (block: string, indices: readonly number[]): Uint8Array[] =>
  indices.map((index, at) => zero(index, at === 0 ? block : undefined));
const section = (...records: Uint8Array[]): Uint8Array =>
  joinBytes([
    encodeSection('SECTION_PART', { sectionId: 2 }),
    ...records,
    encodeEos(),
    encodeSection('SECTION_FOOTER', { sectionId: 2 }),
  ]);
const discard = (block: string, ...ranges: [number, number][]): Uint8Array =>
  encodeCommand('POSTCOPY_RAM_DISCARD', {
    version: 0,
    block,
    terminator: 0,
    ranges: ranges.map(([start, length]) => ({ start, length })),
  });
const ping = (value: number): Uint8Array => encodeCommand('PING', { value });
const LISTEN = encodeCommand('POSTCOPY_LISTEN', {});
const RUN = encodeCommand('POSTCOPY_RUN', {});
const EOF = encodeSection('EOF', {});
const SHUT = encodeReturnPath('SHUT', { value: 0 });
const PONG = encodeReturnPath('PONG', { value: 1 });

/** A good migration: RAM sent once, discarded but for its last host page, sent again. Each part can be replaced. */
function migration(parts: Partial<Record<keyof typeof GOOD, Uint8Array>> = {}): Uint8Array {
  const all = { ...GOOD, ...parts };
  const package_ = all.package;
  return joinBytes([
    encodeHeader(),
    encodeSection('CONFIGURATION', { machine: 'none' }),
    encodeCommand('OPEN_RETURN_PATH', {}),
    ping(1),
    all.advise,
    encodeSection('SECTION_START', { sectionId: 2, idstr: 'ram', instanceId: 0, versionId: 4 }),
    encodeRamList(BLOCKS),
    encodeEos(),
    encodeSection('SECTION_FOOTER', { sectionId: 2 }),
    all.precopy,
    all.discards,
    encodeCommand('PACKAGED', { length: package_.length }),
    package_,
    all.postcopy,
    all.end,
    EOF,
    all.behind,
  ]);
}

const END = [encodeSection('SECTION_END', { sectionId: 2 }), encodeEos()];
const GOOD = {
  advise: encodeCommand('POSTCOPY_ADVISE', { pageSizeSummary: HP + 4096, targetPageSize: 4096 }),
  precopy: section(...ram('ram', PAGES), ...ram('rom', [0])),
  discards: discard('ram', [0, 3 * HP]),
  package: joinBytes([LISTEN, RUN]),
  postcopy: section(...ram('ram', PAGES.slice(0, 12))),
  end: joinBytes([...END, encodeSection('SECTION_FOOTER', { sectionId: 2 })]),
  behind: new Uint8Array(0),
};

function rulesOf(stream: Uint8Array, returnPath: readonly Uint8Array[] = [PONG, SHUT], preempt?: Uint8Array) {
  const summary = new MigrationSummary();
  const session = new DissectionSession(summary, { profile: '10.x', preemptConns: [1] });
  session.push(0, 'fwd', stream, undefined);
  if (preempt !== undefined) session.push(1, 'fwd', preempt, undefined);
  for (const message of returnPath) session.push(0, 'ret', message, undefined);
  session.end();
  const report = summary.report(stream.length);
  return { rules: report.anomalies.map(({ rule }) => rule).sort(), report };
}

const request = (start: number, length: number, block?: string): Uint8Array =>
  block === undefined
    ? encodeReturnPath('REQ_PAGES', { start, length })
    : encodeReturnPath('REQ_PAGES_ID', { start, length, block });

t.test('a good migration has no anomaly', async (t) => {
  const { rules, report } = rulesOf(migration(), [PONG, request(0, HP, 'ram'), request(HP, HP), SHUT]);
  t.strictSame(rules, []);
  t.match(report.requests, { count: 2, alreadySent: 2, latencyNs: null });
});

const twelve = PAGES.slice(0, 12);
const without = (gone: number): number[] => twelve.filter((index) => index !== gone);
const swapped = [0, 1, 4, 2, 3, 5, 6, 7, 8, 9, 10, 11];
const fill = joinBytes([encodeRecordHead(0, RAM_FLAG.ZERO, 'ram'), Uint8Array.of(7)]);
const device = joinBytes([
  encodeSection('SECTION_FULL', { sectionId: 9, idstr: 'dev', instanceId: 0, versionId: 1 }),
  Uint8Array.of(1, 2, 3),
  encodeSection('SECTION_FOOTER', { sectionId: 9 }),
]);
const vmdesc = encodeSection('VMDESCRIPTION', {
  json: '{"devices":[{"name":"dev","instance_id":0,"vmsd_name":"dev","fields":[{"name":"x","size":4}]}]}',
});
const postcopy = (indices: readonly number[], ...more: Uint8Array[]) => ({
  postcopy: section(...ram('ram', indices), ...more),
});

/** A stream for each watched rule that breaks it, and the rules that it breaks. */
const BROKEN: readonly (readonly [
  rules: readonly string[],
  stream: Uint8Array,
  returnPath?: readonly Uint8Array[] | undefined,
  preempt?: Uint8Array,
])[] = [
  [['D22'], migration(), [SHUT]],
  [['D22'], migration(), [PONG, PONG, SHUT]],
  [
    ['S3'],
    migration({
      advise: encodeCommand('POSTCOPY_ADVISE', { pageSizeSummary: HP + 12_288, targetPageSize: 4096 }),
    }),
  ],
  [['D33', 'S17', 'S33'], migration({ end: joinBytes([discard('ram', [0, HP]), GOOD.end]) })],
  [['D38'], migration({ discards: joinBytes([GOOD.discards, discard('nobody', [0, 4096])]) })],
  [['D39'], migration({ discards: discard('ram', [4096, 3 * HP], [0, 0]), ...postcopy(PAGES.slice(1, 13)) })],
  [['D40'], migration({ discards: discard('ram', [0, 2 * HP + 4096]), ...postcopy(PAGES.slice(0, 9)) })],
  [['D41'], migration({ discards: joinBytes([GOOD.discards, discard('rom', [0, 8192])]) })],
  [['D70'], migration(postcopy(twelve, zero(0, 'nobody')))],
  [['D71'], migration(postcopy(twelve, zero(16)))],
  [['D79'], migration(postcopy(swapped))],
  [['D90'], migration(), [PONG, request(4096, HP, 'ram'), SHUT]],
  [['D90'], migration(), [PONG, request(0, 2 * HP, 'ram'), SHUT]],
  [['D95'], migration(), [PONG]],
  [
    ['S7'],
    migration({
      precopy: section(...ram('rom', [0]), ...ram('ram', PAGES)),
      postcopy: section(...twelve.map((index) => zero(index))),
    }),
  ],
  [['S9', 'S18'], migration({ postcopy: section(...ram('ram', twelve), fill) })],
  [['S12'], migration({ precopy: section(...ram('ram', PAGES)) })],
  [['S12'], migration({ precopy: section(...ram('ram', PAGES)), ...postcopy(twelve, zero(0, 'rom')) })],
  [
    ['S13'],
    migration({
      discards: discard('ram', ...PAGES.slice(0, 13).map((): [number, number] => [0, HP]), [HP, 2 * HP]),
    }),
  ],
  [['S15'], migration({ package: joinBytes([ping(1), LISTEN, RUN]) }), [PONG, PONG, SHUT]],
  [['S15'], migration({ package: joinBytes([LISTEN, discard('ram', [0, 0], [0, 0]), RUN]) })],
  [['S17'], migration({ end: joinBytes([encodeCommand('OPEN_RETURN_PATH', {}), GOOD.end]) })],
  [['S18'], migration(postcopy([...twelve, 0]))],
  [['S19'], migration(postcopy([...twelve, 15]))],
  [['D79', 'S20', 'S33'], migration(postcopy(without(5))), [PONG, request(HP, HP, 'ram'), SHUT]],
  [['S22'], migration(), [PONG, request(0, 100, 'ram'), SHUT]],
  [['S23'], migration(), [PONG, request(0, HP), SHUT]],
  [['S24'], migration(), [PONG, request(0, HP, 'nobody'), SHUT]],
  [['S25'], migration(), [PONG, request(4 * HP, HP, 'ram'), SHUT]],
  [['S29'], migration(), [PONG, encodeReturnPath('SHUT', { value: 1 })]],
  [['S32'], migration({ behind: vmdesc })],
  [['S33'], migration(postcopy(without(11)))],
  [
    ['D79', 'S42'],
    migration(postcopy([0, 1, 2, 3, 6, 7, 8, 9, 10, 11])),
    undefined,
    joinBytes([...ram('ram', [4, 5]), encodeEos()]),
  ],
  [['S32', 'vmdesc'], migration({ package: joinBytes([LISTEN, device, RUN]), behind: vmdesc })],
];

for (const [rules, stream, returnPath, preempt] of BROKEN) {
  t.test(`seen: ${rules.join(', ')}`, async (t) => {
    const seen = rulesOf(stream, returnPath, preempt).rules;
    // A discard in the package is refused by D33 too, where that is what a stream is about.
    t.strictSame(
      seen.filter((rule) => rules.includes(rule)),
      [...rules].sort(),
    );
    const surplus = seen.filter((rule) => !rules.includes(rule));
    t.strictSame(surplus, rules.includes('S15') && surplus.includes('D33') ? ['D33'] : []);
  });
}

t.test('each watched rule has a stream that breaks it', async (t) => {
  const broken = new Set(BROKEN.flatMap(([rules]) => rules));
  t.strictSame(broken, new Set(Object.keys(WATCHED_RULES)));
});

t.test('a preempt channel is followed by itself', async (t) => {
  const preempt = joinBytes([...ram('ram', [4, 5, 6, 7]), encodeEos()]);
  const stream = migration(postcopy([0, 1, 2, 3, 8, 9, 10, 11]));
  t.strictSame(rulesOf(stream, undefined, preempt).rules, []);
  t.strictSame(rulesOf(migration(), undefined, preempt).rules, ['S18']);
});

t.test('section ids survive a recovery (rule D100)', async (t) => {
  const summary = new MigrationSummary();
  const session = new DissectionSession(summary, { profile: '7.2' });
  const whole = migration();
  const end = joinBytes([GOOD.end, EOF]);
  session.push(0, 'fwd', whole.subarray(0, whole.length - end.length), undefined);
  session.push(1, 'fwd', joinBytes([encodeCommand('POSTCOPY_RESUME', {}), end]), undefined);
  session.endStream(1, 'fwd');
  t.strictSame(
    summary.report(whole.length).anomalies.map(({ rule }) => rule),
    [],
  );
});

t.test('of a stream that broke off nothing is said to be missing', async (t) => {
  const { rules } = rulesOf(migration().subarray(0, 150), [PONG]);
  t.strictSame(rules, ['D16']);
});
