// Runs every conformance vector: whole, in pieces of every size, at random splits, encoded back, and cut at every byte.
import fc from 'fast-check';
import t from 'tap';
import { COMMANDS } from '../../src/protocol/commands.ts';
import {
  RAM_LIST_ENTRY,
  RAM_LIST_PAGE_SIZE,
  REFUSED_FLAGS,
  ZERO_BODY,
} from '../../src/protocol/ram-records.ts';
import { RETURN_PATH_MESSAGES } from '../../src/protocol/return-path-messages.ts';
import { CONFIGURATION_SUBSECTIONS, HEADER, SECTIONS } from '../../src/protocol/sections.ts';
import { dissectInPieces } from './dissect-vector.ts';
import { encodeBack } from './encode-back.ts';
import { readVectors, type Vector } from './vectors.ts';

const SEED = 20180418;
const RANDOM_SPLITS = 20;
const ERROR_LINE = /^ *error off=0x([0-9a-f]+) /;
const RECORD_LINE = /^off=0x([0-9a-f]+) len=(\d+) (\w+)/;

const vectors = readVectors();

const isAccepted = (vector: Vector): boolean => !ERROR_LINE.test(vector.lines.at(-1) ?? '');

function* endsOfPieces(lengthBytes: number, pieceBytes: number): Generator<number> {
  for (let end = pieceBytes; end < lengthBytes; end += pieceBytes) yield end;
  yield lengthBytes;
}

/** Offsets at which the stream may end: behind each record of a channel without an end mark, else behind the last. */
function legalEnds(vector: Vector): Set<number> {
  const ends = new Set(vector.stream === 'return path' || vector.stream === 'preempt' ? [0] : []);
  let hasEnded = false;
  for (const line of vector.lines) {
    const [, offset, lengthBytes, name] = RECORD_LINE.exec(line) ?? [];
    if (name === undefined) continue;
    hasEnded ||= name === 'EOF' || (vector.stream === 'package' && name === 'POSTCOPY_RUN');
    const isOpenEnded = vector.stream === 'return path' || vector.stream === 'preempt';
    // A received bitmap belongs to the message in front of it.
    if (hasEnded || (isOpenEnded && !(vector.stream === 'return path' && name === 'RECV_BITMAP'))) {
      ends.add(Number.parseInt(offset!, 16) + Number(lengthBytes));
    }
    if (vector.isOneWay && hasEnded) {
      const from = Number.parseInt(offset!, 16) + Number(lengthBytes);
      for (let at = from; at < vector.bytes.length; at += 1) ends.add(at);
    }
  }
  return ends;
}

/** What is wrong with the dissection of the first `cut` bytes; undefined when nothing is. */
function faultOfCut(vector: Vector, cut: number, legal: ReadonlySet<number>): string | undefined {
  const got = dissectInPieces(vector, [cut]);
  const last = got.at(-1) ?? '';
  const error = ERROR_LINE.exec(last);
  const records = error === null ? got : got.slice(0, -1);
  const differs = records.findIndex((line, index) => line !== vector.lines[index]);
  if (differs >= 0) return `line ${differs} became '${records[differs]}'`;
  if (error === null) return legal.has(cut) ? undefined : 'ended without an error';
  if (last === vector.lines.at(-1)) return undefined;
  if (!last.startsWith('error ') || !last.includes(' TransportError truncated'))
    return `ended with '${last}'`;
  return Number.parseInt(error[1]!, 16) <= cut ? undefined : `told an offset behind the cut: '${last}'`;
}

for (const vector of vectors) {
  t.test(`${vector.file.slice('test/conformance/'.length)}: ${vector.title}`, async (t) => {
    const { bytes } = vector;
    t.strictSame(dissectInPieces(vector, [bytes.length]), vector.lines, 'whole');

    const expected = vector.lines.join('\n');
    const differing: number[] = [];
    for (let size = 1; size <= bytes.length; size += 1) {
      if (dissectInPieces(vector, endsOfPieces(bytes.length, size)).join('\n') !== expected)
        differing.push(size);
    }
    t.strictSame(differing, [], 'piece sizes that change the dissection');

    const cuts = fc.array(fc.nat({ max: bytes.length }), { maxLength: 40 });
    const splits = fc
      .sample(cuts, { seed: SEED, numRuns: RANDOM_SPLITS })
      .map((split) => split.sort((a, b) => a - b));
    const changing = splits.filter(
      (split) => dissectInPieces(vector, [...split, bytes.length]).join('\n') !== expected,
    );
    t.strictSame(changing, [], `random splits, seed ${SEED}, that change the dissection`);

    if (isAccepted(vector) && !vector.isOneWay) t.strictSame(encodeBack(vector), bytes, 'encoded back');

    const legal = legalEnds(vector);
    const faults: string[] = [];
    for (let cut = 0; cut < bytes.length; cut += 1) {
      const fault = faultOfCut(vector, cut, legal);
      if (fault !== undefined) faults.push(`cut at ${cut}: ${fault}`);
    }
    t.strictSame(faults, [], 'cut at every byte');
  });
}

/** Names that must each have a vector, as `direction name`. */
const FORWARD_NAMES = [
  HEADER.name,
  ...Object.values(SECTIONS).map((type) => type.name),
  ...Object.values(CONFIGURATION_SUBSECTIONS).map((type) => type.name),
  ...Object.values(COMMANDS).map((type) => type.name),
  ...['MEM_SIZE', RAM_LIST_ENTRY.name, RAM_LIST_PAGE_SIZE.name, 'PAGE', ZERO_BODY.name, 'EOS'],
].map((name) => `forward ${name}`);
const RETURN_NAMES = [...Object.values(RETURN_PATH_MESSAGES).map((type) => type.name), 'RECEIVED_BITMAP'].map(
  (name) => `return ${name}`,
);
const REFUSED_NAMES = [...REFUSED_FLAGS.values()].map(({ name }) => `forward ${name}`);

const directionOf = (vector: Vector): string => (vector.stream === 'return path' ? 'return' : 'forward');

t.test('every declared message has a good vector', async (t) => {
  const shown = new Set(
    vectors
      .filter(isAccepted)
      .flatMap((vector) =>
        vector.lines.map((line) => `${directionOf(vector)} ${RECORD_LINE.exec(line.trim())?.[3]}`),
      ),
  );
  t.strictSame(
    [...FORWARD_NAMES, ...RETURN_NAMES].filter((name) => !shown.has(name)),
    [],
  );
});

t.test('every declared message, and every record that we refuse, has a bad vector', async (t) => {
  const bad = vectors.filter((vector) => vector.refuses !== undefined);
  t.strictSame(
    bad.filter(isAccepted).map(({ title }) => title),
    [],
    'they end with an error',
  );
  const refused = new Set(bad.map((vector) => `${directionOf(vector)} ${vector.refuses}`));
  const names = [...FORWARD_NAMES, ...RETURN_NAMES, ...REFUSED_NAMES];
  t.strictSame(
    names.filter((name) => !refused.has(name)),
    [],
    'each has one',
  );
  t.strictSame(
    [...refused].filter((name) => !names.includes(name)),
    [],
    'each is of a known name',
  );
});

/** Rules that the decoder enforces; the others need to know the machine or the state of the migration. */
const REFUSING_RULES =
  'D1 D2 D3 D5 D9 D10 D12 D13 D15 D16 D20 D21 D27 D34 D35 D36 D37 D50 D55 D60 D66 D68 D74 D75 D99 S26 S27 S28 S37 N5';
const ACCEPTING_RULES = 'D4 D5 D14 D17 D18 D23 D25 D42 D44 D49 D52 D57 D60 D64 D67 D69 D72 D99 N1 N2 N3 N12';

t.test('every rule of the decoder has a vector that names it', async (t) => {
  const lastLines = vectors.map((vector) => vector.lines.at(-1) ?? '');
  t.strictSame(
    REFUSING_RULES.split(' ').filter((rule) => !lastLines.some((line) => line.includes(` [${rule}] `))),
    [],
    'refused',
  );
  const named = vectors.filter(isAccepted).map((vector) => vector.prose);
  t.strictSame(
    ACCEPTING_RULES.split(' ').filter(
      (rule) => !named.some((prose) => new RegExp(`\\b${rule}\\b`).test(prose)),
    ),
    [],
    'accepted',
  );
});
