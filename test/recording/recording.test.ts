// What the writer writes the reader gives back, plain, packed, growing, without an index, and broken.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { fileBytes } from '../../src/recording/file-bytes.ts';
import { formatIndexLine, parseIndexLine, type RecordedPiece } from '../../src/recording/recorded-piece.ts';
import { findRecording, readRecording } from '../../src/recording/recording-reader.ts';
import { RecordingWriter } from '../../src/recording/recording-writer.ts';
import { readCapture, repositoryUrl } from '../fixtures.ts';
import { all } from './captured-bytes.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const show = (pieces: readonly RecordedPiece[]) =>
  pieces.map(({ conn, dir, bytes }) => [conn, dir, text(bytes)]);

function scratch(t: { teardown(action: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'postcopy-recording-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

t.test('a recording comes back in the order in which it passed', async (t) => {
  const directory = join(scratch(t), 'r');
  const writer = new RecordingWriter(directory);
  writer.open(0);
  const piece = Buffer.from('abc');
  writer.append(0, 'fwd', piece);
  piece.fill(0); // written at once: the caller may reuse it
  writer.append(0, 'ret', Buffer.from('pong'));
  writer.open(1);
  writer.append(1, 'fwd', Buffer.from('page'));
  writer.append(0, 'fwd', Buffer.from('def'));
  writer.finish({ to: 'x' });
  const pieces = await all(readRecording(findRecording(directory)!));
  t.strictSame(show(pieces), [
    [0, 'fwd', 'abc'],
    [0, 'ret', 'pong'],
    [1, 'fwd', 'page'],
    [0, 'fwd', 'def'],
  ]);
  const times = pieces.map(({ tSeconds }) => tSeconds!);
  t.equal(times[0], 0);
  t.strictSame(
    times,
    times.toSorted((a, b) => a - b),
  );
  t.strictSame(JSON.parse(readFileSync(join(directory, 'result.json'), 'utf8')), {
    to: 'x',
    wire_bytes: { 'c0.fwd': 6, 'c0.ret': 4, 'c1.fwd': 4, 'c1.ret': 0 },
  });
  t.equal(readFileSync(join(directory, 'c1.ret.bin')).length, 0, 'a silent direction has a file too');
});

t.test('a recording is not written over', async (t) => {
  const directory = scratch(t);
  writeFileSync(join(directory, 'x'), '');
  t.throws(() => new RecordingWriter(directory), { code: 'cannot-write-recording' });
  t.throws(() => new RecordingWriter(join(directory, 'x')), { code: 'cannot-write-recording' });
});

t.test('captures by NAME, packed', async (t) => {
  const name = 'test/fixtures/captures/f1-preempt-4k-bios';
  const pieces = await all(readRecording(findRecording(fileURLToPath(repositoryUrl(name)))!));
  for (const [conn, dir] of [
    [0, 'fwd'],
    [0, 'ret'],
    [1, 'fwd'],
  ] as const) {
    const bytes = pieces.filter((p) => p.conn === conn && p.dir === dir).map((p) => p.bytes);
    t.ok(Buffer.concat(bytes).equals(readCapture(`f1-preempt-4k-bios.c${conn}.${dir}`)));
  }
  t.equal(findRecording(fileURLToPath(repositoryUrl('test/fixtures/captures/f1'))), undefined);
});

t.test('without an index the bytes come without times', async (t) => {
  const directory = scratch(t);
  writeFileSync(join(directory, 'c0.fwd.bin'), 'abc');
  writeFileSync(join(directory, 'c1.ret.bin.gz'), gzipSync('z'));
  const pieces = await all(readRecording(findRecording(directory)!));
  t.strictSame(show(pieces), [
    [0, 'fwd', 'abc'],
    [1, 'ret', 'z'],
  ]);
  t.equal(pieces[0]!.tSeconds, undefined);
});

t.test('an index that does not fit', async (t) => {
  const directory = scratch(t);
  const entry = { tSeconds: 0.5, conn: 0, dir: 'fwd', offset: 0, lengthBytes: 5 } as const;
  const write = (...lines: string[]): void => writeFileSync(join(directory, 'index.jsonl'), lines.join(''));
  writeFileSync(join(directory, 'c0.fwd.bin'), 'abc');
  const read = () => all(readRecording(findRecording(directory)!));
  write(formatIndexLine(entry));
  t.strictSame(show(await read()), [[0, 'fwd', 'abc']], 'a file that is shorter ends early');
  write(formatIndexLine({ ...entry, lengthBytes: 1 }));
  t.strictSame(show(await read()), [
    [0, 'fwd', 'a'],
    [0, 'fwd', 'bc'],
  ]);
  write(formatIndexLine({ ...entry, offset: 1 }));
  await t.rejects(read(), { code: 'bad-recording' });
  write('{"t": 0');
  await t.rejects(read(), { code: 'bad-recording', message: /line 1/ });
  t.throws(() => parseIndexLine('{"t": 0, "conn": 0, "dir": "up", "off": 0, "len": 1}', 7), {
    code: 'bad-recording',
    message: /line 7/,
  });
  t.throws(() => parseIndexLine('{"t": 0, "conn": -1, "dir": "fwd", "off": 0, "len": 1}', 1));
  t.throws(() => parseIndexLine('null', 1), { code: 'bad-recording' });
  t.strictSame(parseIndexLine(formatIndexLine(entry), 1), entry);
});

t.test('a growing recording is followed to its result', async (t) => {
  const directory = join(scratch(t), 'r');
  const writer = new RecordingWriter(directory);
  writer.open(0);
  writer.append(0, 'fwd', Buffer.from('a'));
  const pieces = readRecording(findRecording(directory)!, { isCancelled: () => false });
  t.equal(text((await pieces.next()).value!.bytes), 'a');
  const second = pieces.next(); // waits: nothing is there yet
  writer.append(0, 'ret', Buffer.from('b'));
  t.equal(text((await second).value!.bytes), 'b');
  const third = pieces.next();
  writer.append(0, 'fwd', Buffer.from('c'));
  writer.finish({});
  t.equal(text((await third).value!.bytes), 'c');
  t.equal((await pieces.next()).done, true);
});

t.test('a growing file is followed until somebody says that it is complete', async (t) => {
  const path = join(scratch(t), 'stream');
  writeFileSync(path, 'a');
  let isComplete = false;
  const bytes = fileBytes(path, () => isComplete);
  t.equal(text((await bytes.next()).value!), 'a');
  const next = bytes.next();
  appendFileSync(path, 'b');
  t.equal(text((await next).value!), 'b');
  isComplete = true;
  t.equal((await bytes.next()).done, true);
});

t.test('a file that cannot be read', async (t) => {
  await t.rejects(all(fileBytes('/nonexistent')), { code: 'cannot-read-recording' });
  const path = join(scratch(t), 'bad.gz');
  writeFileSync(path, Buffer.concat([gzipSync('abc').subarray(0, 12), Buffer.alloc(4, 0xff)]));
  await t.rejects(all(fileBytes(path)), { code: 'cannot-read-recording' }, 'broken gzip');
  writeFileSync(path, '');
  t.strictSame(await all(fileBytes(path)), [], 'an empty one is no error');
});
