// `postcopy dissect` on files: every capture to its last byte, JSON lines, growing, cut and broken streams, bad command lines.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { RecordingWriter } from '../../src/recording/recording-writer.ts';
import { readCapture, readText, repositoryUrl } from '../fixtures.ts';
import { CliProcess, runCli } from './cli-process.ts';

const fixture = (path: string): string => fileURLToPath(repositoryUrl(`test/fixtures/${path}`));
const scratch = mkdtempSync(join(tmpdir(), 'postcopy-dissect-'));
t.teardown(() => rmSync(scratch, { recursive: true }));

interface JsonEntry {
  readonly t?: number;
  readonly conn: number;
  readonly dir: 'fwd' | 'ret';
  readonly stream: string;
  readonly off: number;
  readonly at: number;
  readonly len: number;
  readonly name?: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: string; readonly offset: number; readonly rule?: string };
}

const parse = (stdout: string): JsonEntry[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JsonEntry);

const CAPTURES = [...readText('test/fixtures/captures/README.md').matchAll(/^### (\S+)\n([^#]*)/gm)].map(
  ([, name, entry]) => ({
    name: name!,
    isCut: entry!.includes('cut off'),
    pages: [.../(\d+) pages with data, (\d+) zero/.exec(entry!)!].slice(1).map(Number),
    wireBytes: Object.fromEntries(
      [...entry!.matchAll(/(c\d\.(?:fwd|ret)) (\d+)/g)].map(([, key, count]) => [key, Number(count)]),
    ),
  }),
);

t.equal(CAPTURES.length, 14);

for (const { name, isCut, pages, wireBytes } of CAPTURES) {
  t.test(`${name} to the last byte of each direction`, async (t) => {
    const { code, stdout } = await runCli('dissect', '--json', fixture(`captures/${name}`));
    t.equal(code, isCut ? 1 : 0);
    const next: Record<string, number> = Object.fromEntries(Object.keys(wireBytes).map((key) => [key, 0]));
    let lastTime = 0;
    const counts = { PAGE: 0, ZERO: 0 };
    for (const entry of parse(stdout)) {
      if (entry.t! < lastTime) t.fail(`${entry.at}: time runs backwards`);
      lastTime = entry.t!;
      if (entry.error !== undefined || entry.stream === 'package') continue;
      const key = `c${entry.conn}.${entry.dir}`;
      if (entry.at !== next[key]) t.fail(`${key}: ${entry.name} at ${entry.at}, expected ${next[key]}`);
      next[key] = entry.at + entry.len;
      if (entry.conn === 0 && (entry.name === 'PAGE' || entry.name === 'ZERO')) counts[entry.name] += 1;
    }
    t.strictSame(next, wireBytes);
    t.strictSame([counts.PAGE, counts.ZERO], pages);
  });
}

t.test('lines for people, with time, connection and direction', async (t) => {
  const { stdout } = await runCli('dissect', fixture('captures/d1-postcopy-4k-bios'));
  const lines = stdout.split('\n');
  t.equal(lines[0], '   0.000000 c0 > off=0x0000 len=8 HEADER magic=0x5145564d version=3');
  t.ok(
    lines.includes('   0.098460 c0 >   off=0x0000 len=5 POSTCOPY_LISTEN'),
    'what is in the package is indented',
  );
  t.ok(lines.includes('   3.702694 c0 < off=0x02ed len=8 SHUT value=0'));
});

t.test('a pair of files, and a preempt channel, without times', async (t) => {
  const name = 'captures/f1-preempt-4k-bios';
  const { code, stdout } = await runCli(
    ...['dissect', '--json', fixture(`${name}.c0.fwd.bin.gz`)],
    ...['--return-path', fixture(`${name}.c0.ret.bin.gz`), '--preempt', fixture(`${name}.c1.fwd.bin.gz`)],
  );
  t.equal(code, 0);
  const entries = parse(stdout);
  const count = (stream: string): number => entries.filter((entry) => entry.stream === stream).length;
  t.strictSame([count('preempt'), count('return path')], [38 + 1, 4 + 2 + 53 + 1]);
  t.ok(entries.every((entry) => entry.t === undefined));
});

t.test('a stream cut anywhere is shown up to the cut', async (t) => {
  const bytes = readCapture('c1-postcopy-2m-none.c0.fwd');
  const path = join(scratch, 'cut');
  for (const lengthBytes of [3, 60, 5000, 135_800, bytes.length - 1]) {
    writeFileSync(path, bytes.subarray(0, lengthBytes));
    const { code, stdout } = await runCli('dissect', '--json', path);
    t.equal(code, 1);
    const last = parse(stdout).at(-1)!;
    t.match(last.error, { code: 'truncated', offset: lengthBytes });
  }
});

t.test('a broken stream is shown up to the error, which tells its offset and its rule', async (t) => {
  const bytes = Buffer.from(readCapture('b1-postcopy-4k-none.c0.fwd'));
  const footer = bytes.indexOf(Buffer.from('7e00000002', 'hex'));
  bytes[footer + 4] = 3;
  const path = join(scratch, 'broken');
  writeFileSync(path, bytes);
  const { code, stdout } = await runCli('dissect', path);
  t.equal(code, 1);
  const lines = stdout.trimEnd().split('\n');
  t.equal(
    lines.at(-1),
    `c0 > error off=0x${footer.toString(16).padStart(4, '0')} ProtocolError bad-footer [D15] expected the footer of section 2, found one of section 3`,
  );
  t.match(lines.at(-2), / EOS$/);
  const { stdout: summary } = await runCli('dissect', '--summary', path);
  t.match(summary, /\[D15\] 1 x/);
});

t.test('the summary, for people and as JSON', async (t) => {
  const { code, stdout } = await runCli('dissect', '--summary', fixture('captures/d1-postcopy-4k-bios'));
  t.equal(code, 0);
  t.match(stdout, '44: 37 answered, 7 for pages already sent, 0 repeated, 0 never answered');
  t.match(stdout, /Anomalies:\n {2}none/);
  const { stdout: json } = await runCli(
    'dissect',
    '--summary',
    '--json',
    fixture('captures/d1-postcopy-4k-bios'),
  );
  t.match(JSON.parse(json), { kind: 'postcopy', requests: { count: 44 }, anomalies: [] });
});

t.test("tcpdump's capture and the recording of the same migration tell the same", async (t) => {
  const lines = async (path: string): Promise<Set<string>> => {
    const { code, stdout } = await runCli('dissect', '--json', fixture(`tcpdump/${path}`));
    t.equal(code, 0);
    return new Set(parse(stdout).map(({ t: _time, ...entry }) => JSON.stringify(entry)));
  };
  const recorded = await lines('recorded');
  t.strictSame(await lines('loopback.pcap.gz'), recorded);
  t.strictSame(await lines('any.pcap.gz'), recorded);
});

t.test('a file is followed as it grows, until Ctrl-C', async (t) => {
  const bytes = readCapture('b1-postcopy-4k-none.c0.fwd');
  const whole = join(scratch, 'whole');
  writeFileSync(whole, bytes);
  const path = join(scratch, 'grows');
  const half = Math.floor(bytes.length / 2);
  writeFileSync(path, bytes.subarray(0, half));
  const dissect = new CliProcess('dissect', '--follow', path);
  const ended = dissect.result();
  await dissect.printed(/POSTCOPY_RUN/);
  appendFileSync(path, bytes.subarray(half));
  await dissect.printed(/ EOF\n/);
  dissect.child.kill('SIGINT');
  const { code, stdout } = await ended;
  t.equal(code, 0);
  t.equal(stdout, (await runCli('dissect', whole)).stdout, 'nothing is missing, and nothing is cut');
});

t.test('Ctrl-C before the end of the input: exit code 3, with what was read', async (t) => {
  const bytes = readCapture('b1-postcopy-4k-none.c0.fwd');
  const dissect = new CliProcess('dissect', '-');
  dissect.child.stdin.write(bytes.subarray(0, 1000));
  const ended = dissect.result();
  await dissect.printed(/MEM_SIZE/);
  dissect.child.kill('SIGINT');
  const { code, stdout } = await ended;
  t.equal(code, 3, 'though stdin has not ended');
  t.notMatch(stdout, / error /, 'and it is not taken for cut');
});

t.test('a recording is followed to its result', async (t) => {
  const directory = join(scratch, 'recording');
  const writer = new RecordingWriter(directory);
  writer.open(0);
  const bytes = readCapture('a1-precopy-none.c0.fwd');
  writer.append(0, 'fwd', bytes.subarray(0, 100));
  const dissect = new CliProcess('dissect', '--follow', directory);
  const ended = dissect.result();
  await dissect.printed(/MEM_SIZE/);
  writer.append(0, 'fwd', bytes.subarray(100));
  writer.finish({});
  const { code, stdout } = await ended;
  t.equal(code, 0, 'by itself');
  t.match(stdout, / EOF\n.* VMDESCRIPTION .*\n$/);
});

t.test('stdin, and a reader that has seen enough', async (t) => {
  const dissect = new CliProcess('dissect', '-');
  dissect.child.stdin.end(readCapture('b2-postcopy-4k-none-zero.c0.fwd'));
  const { code, stdout } = await dissect.result();
  t.equal(code, 0);
  t.match(stdout, /VMDESCRIPTION/);
  const early = new CliProcess('dissect', fixture('captures/a1-precopy-none'));
  early.child.stdout.destroy();
  const { stderr } = await early.result();
  t.equal(stderr, '', 'no complaint about the closed pipe');
});

for (const [args, code] of [
  [[], 'missing-option'],
  [['a', 'b'], 'bad-option'],
  [['--listen', 'tcp:127.0.0.1:0'], 'missing-option'],
  [['x', '--listen', 'tcp:127.0.0.1:0', '--to', 'tcp:127.0.0.1:1'], 'bad-option'],
  [[fixture('captures/d1-postcopy-4k-bios'), '--port', '1'], 'option-without-effect'],
  [[fixture('captures/d1-postcopy-4k-bios'), '--return-path', 'x'], 'option-without-effect'],
  [[fixture('tcpdump/loopback.pcap.gz'), '--return-path', 'x'], 'option-without-effect'],
  [['x', '--port', '0'], 'bad-option-value'],
] as const) {
  t.test(`bad command line: ${code} for ${args.length} words`, async (t) => {
    const result = await runCli('dissect', ...args);
    t.match(result, { code: 2, stdout: '', stderr: new RegExp(`\\(${code}\\)`) });
  });
}

t.test('a file that is not there', async (t) => {
  t.match(await runCli('dissect', join(scratch, 'nothing')), { code: 1, stderr: /cannot-read-recording/ });
});
