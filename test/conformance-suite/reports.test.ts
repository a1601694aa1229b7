// The forms of a conformance report: readable by their readers whatever a peer has said, and complete.
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { Parser } from 'tap-parser';
import { escapeMarkup } from '../../src/conformance/escape-markup.ts';
import { exchangeLines, shortExchange } from '../../src/conformance/exchange-lines.ts';
import { exchangeRows } from '../../src/conformance/exchange-rows.ts';
import { HtmlReport } from '../../src/conformance/report-html.ts';
import { JsonReport } from '../../src/conformance/report-json.ts';
import { JunitReport } from '../../src/conformance/report-junit.ts';
import { TapReport } from '../../src/conformance/report-tap.ts';
import { readText } from '../fixtures.ts';
import { elements, parseMarkup, textOf } from './parse-markup.ts';
import { EXCHANGE, HOSTILE, PLAN, RESULTS, written } from './sample-results.ts';

/** What is left of it where control and format characters cannot be. */
const PRINTED = HOSTILE.replace('\u0007\u202e', '??');

interface Diagnostics {
  readonly checks: readonly { check: string; expected: string; seen: string; exchange?: string }[];
}

t.test('TAP 14 as its own parser takes it', async (t) => {
  const tap = written((write) => new TapReport(write));
  t.match(tap, /^TAP version 14\n/);
  const parser = new Parser({ strict: true });
  const diagnostics: (Diagnostics | false)[] = [];
  parser.on('assert', ({ diag }: { diag: unknown }) => diagnostics.push((diag as Diagnostics) ?? false));
  const extra: string[] = [];
  parser.on('extra', (line: string) => extra.push(line));
  const done = new Promise((resolve) => parser.on('complete', resolve));
  parser.end(tap);
  t.match(await done, { count: 4, pass: 3, fail: 1, skip: 2, failures: [{ id: 2 }] });
  t.strictSame(extra, [], 'nothing that is no TAP');
  const [passed, failed] = diagnostics;
  t.equal(passed, false, 'only a failure has diagnostics');
  const { checks } = failed as Diagnostics;
  t.equal(checks.length, 2, 'for each check that failed');
  t.strictSame(
    { ...checks[0] },
    {
      check: `a PING ${PRINTED}`,
      expected: `a PONG\n${PRINTED}`,
      seen: `nothing ${PRINTED}`,
      exchange: `${shortExchange(EXCHANGE, 'strict').join('\n')}\n`,
    },
  );
  t.ok(
    shortExchange(EXCHANGE, 'strict').some((line) => line.startsWith('     …')),
    'and that is indented',
  );
});

t.test('an exchange whose first line is indented stays as it is', async (t) => {
  // Many lines: the first one tells how many are left out.
  const pieces = Array.from({ length: 40 }, (_, index) => ({ ...EXCHANGE.pieces[1]!, tSeconds: index }));
  const exchange = { ...EXCHANGE, pieces };
  const lines = shortExchange(exchange, 'strict');
  t.match(lines[0], /^ {5}… \d+ lines before …$/);
  const parser = new Parser({ strict: true });
  let found: string | undefined;
  parser.on('assert', ({ diag }: { diag?: unknown }) => {
    found = (diag as Diagnostics | null)?.checks[0]?.exchange ?? found;
  });
  const result = RESULTS[1]!;
  const report = new TapReport((text) => parser.write(text));
  report.begin({ ...PLAN, ruleCount: 1 });
  report.result({ ...result, checks: [{ ...result.checks[0]!, exchange }] });
  parser.end();
  t.equal(found, `${lines.join('\n')}\n`);
});

t.test('JSON as its schema says', async (t) => {
  const schema = JSON.parse(readText('docs/conform.schema.json')) as object;
  const validate = new Ajv2020({
    strict: true,
    strictRequired: false,
    strictTypes: false,
    allErrors: true,
  }).compile(schema);
  const report = JSON.parse(written((write) => new JsonReport(write))) as Record<string, unknown>;
  t.ok(validate(report), JSON.stringify(validate.errors));
  t.match(report, {
    role: 'destination',
    profile: 'strict',
    peer: PLAN.peer,
    elapsedMs: 1235,
    counts: { passed: 1, failed: 1, 'not-run': 1, unobservable: 1 },
    rules: [
      { id: 'D1', verdict: 'passed', checks: [{ wireBytes: { 'c0.ret': 8 }, seen: 'it closed' }] },
      { id: 'D22', checks: [{ verdict: 'failed', exchange: shortExchange(EXCHANGE, 'strict') }, {}, {}] },
      { id: 'D104', verdict: 'not-run', reason: /profile 10\.x/, checks: [] },
      { id: 'N1', verdict: 'unobservable', reason: 'nobody sees it' },
    ],
  });
  const { counts: _, ...incomplete } = report;
  t.notOk(validate(incomplete), 'the schema demands all of it');
});

t.test('JUnit XML', async (t) => {
  const [suites, ...more] = parseMarkup(
    written((write) => new JunitReport(write)),
    'xml',
  );
  t.strictSame(more, []);
  t.match(suites, {
    name: 'testsuites',
    attributes: { tests: '4', failures: '1', errors: '0', time: '1.234' },
  });
  const [suite] = elements(suites!, 'testsuite');
  t.match(suite!.attributes, {
    name: 'destination, profile strict',
    skipped: '2',
    timestamp: '2026-11-25T08:00:00',
  });
  t.strictSame(
    elements(suite!, 'property').map(({ attributes }) => attributes['value'])[0],
    PLAN.peer.replace('\u0007\u202e', '??'),
  );
  const cases = elements(suite!, 'testcase');
  t.strictSame(
    cases.map(({ attributes }) => attributes['name']!.split(' ')[0]),
    ['D1', 'D22', 'D104', 'N1'],
  );
  t.equal(cases[1]!.attributes['time'], '0.250', 'as long as its longest run');
  t.strictSame(
    cases.map((each) => elements(each, 'failure').length),
    [0, 1, 0, 0],
    'one element for all that failed of a rule',
  );
  const [failure] = elements(cases[1]!, 'failure');
  t.ok(textOf(failure!).includes(shortExchange(EXCHANGE, 'strict').join('\n')), 'the exchange is shown');
  t.equal(failure!.attributes['message']!.split('\n').length, 3);
  t.match(elements(cases[3]!, 'skipped')[0]!.attributes['message'], 'unobservable: nobody sees it');
});

t.test('a page to read', async (t) => {
  const html = written((write) => new HtmlReport(write));
  const roots = parseMarkup(html.replace(/^<!doctype html>\n/, ''), 'html');
  t.equal(roots.length, 1, 'what is opened is closed, whatever a peer is called');
  const page = roots[0]!;
  t.notMatch(html, /\b(src|href|action)=|url\(|@import|<script|https?:/, 'nothing from anywhere else');
  t.equal(textOf(elements(page, 'title')[0]!), 'Conformance of a destination, profile strict');
  t.ok(textOf(elements(page, 'header')[0]!).includes(PRINTED), 'the peer is named');
  const rules = elements(page, 'details').filter(({ attributes }) =>
    attributes['class']!.startsWith('rule '),
  );
  t.strictSame(
    rules.map(({ attributes }) => [attributes['id'], attributes['class'], attributes['open'] !== undefined]),
    [
      ['D1', 'rule passed', false],
      ['D22', 'rule failed', true],
      ['D104', 'rule not-run', false],
      ['N1', 'rule unobservable', false],
    ],
    'what failed is open',
  );
  t.match(textOf(rules[3]!), 'nobody sees it');
  const inputs = elements(page, 'input').map(({ attributes }) => attributes['id']!.replace('show-', ''));
  t.strictSame(inputs, ['all', 'failed', 'passed', 'not-run', 'unobservable']);
  const style = textOf(elements(page, 'style')[0]!);
  for (const verdict of inputs.slice(1))
    t.ok(style.includes(`#show-${verdict}:checked`), `${verdict} can be shown alone`);
  t.match(style, /@media print/);
  t.match(style, /prefers-color-scheme: dark/);

  const cells = elements(rules[1]!, 'tr').map((row) => elements(row, 'td').map(textOf));
  t.ok(
    cells.some((row) => row[4]?.startsWith('PING ') && row[5] === '08 00 02 00 04 00 00 00 01'),
    'bytes and what they mean',
  );
  t.ok(
    cells.some((row) => row[4]?.startsWith('POSTCOPY_RUN') && row[2] === '0x009b'),
    'in the package, too',
  );
  t.ok(
    cells.some((row) => row[4]?.includes('[D9]') && row[5] === '09'),
    'up to the error',
  );
});

t.test('rows of an exchange: every record has one, but for pages in a row', async (t) => {
  const rows = exchangeRows(EXCHANGE, 'strict', 100);
  t.equal(rows.length, exchangeLines(EXCHANGE, 'strict').length - 1, 'four pages are three rows');
  const few = exchangeRows(EXCHANGE, 'strict', 10);
  t.strictSame([few.length, few[5]], [11, { kind: 'folded', text: `${rows.length - 10} more rows` }]);
  t.strictSame(few.at(-1), rows.at(-1));
});

t.test('text in markup', async (t) => {
  t.equal(escapeMarkup(`<&>"'`), '&lt;&amp;&gt;&quot;&#39;');
  t.equal(escapeMarkup('a\nb\u0000\u0085\ud800\ufffe\u{1f600}'), 'a\nb????\u{1f600}');
});
