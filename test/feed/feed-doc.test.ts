// docs/feed.md and docs/metrics.md say what the declarations say, and the dashboard asks for what is printed.
// `UPDATE_DOCS=1 npx tap dist/test/feed/feed-doc.test.js` writes them anew.
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { FeedHub } from '../../src/feed/feed-hub.ts';
import { CONTROL_ACTIONS } from '../../src/feed/feed-messages.ts';
import { FEED_PAGE } from '../../src/feed/page-runs.ts';
import { METRICS, RunMetrics } from '../../src/feed/run-metrics.ts';
import { readText, repositoryUrl } from '../fixtures.ts';
import { between, framesText, metricRows } from './feed-tables.ts';

const DOCUMENTS: readonly (readonly [string, string, string, string])[] = [
  ['docs/feed.md', 'but for `wire`.\n\n', '\n\n### Pages', framesText()],
  ['docs/metrics.md', '|---|---|---|---|\n', '\n\n`postcopy_stall_seconds` has', metricRows()],
];

for (const [path, from, to, text] of DOCUMENTS) {
  if (process.env['UPDATE_DOCS'] === '1') {
    writeFileSync(repositoryUrl(path), between(readText(path), from, to, text));
  }
  t.test(`${path} is printed from the declarations`, async (t) => {
    t.ok(readText(path).includes(from), 'the mark is there');
    t.equal(readText(path), between(readText(path), from, to, text));
  });
}

t.test('every state of a page and every action is told', async (t) => {
  const feed = readText('docs/feed.md');
  for (const state of Object.values(FEED_PAGE)) t.match(feed, new RegExp(`^\\| ${state} \\| \\S`, 'm'));
  for (const action of CONTROL_ACTIONS) t.match(feed, new RegExp(`^\\| ${action} \\| \\S`, 'm'));
});

t.test('metrics are named by the conventions', async (t) => {
  for (const [name, { type }] of Object.entries(METRICS)) {
    t.match(name, /^postcopy_[a-z_]+$/);
    t.equal(name.endsWith('_total'), type === 'counter', name);
  }
});

t.test('the dashboard asks for metrics that there are', async (t) => {
  const hub = new FeedHub('source', { control: false, hold: false, repeat: false });
  const { text } = await new RunMetrics('source', hub).print();
  const printed = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map((match) => match[1]!));
  t.same(printed, new Set(Object.keys(METRICS)));
  interface Panel {
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }
  const { panels } = JSON.parse(readText('examples/grafana/postcopy.json')) as { panels: readonly Panel[] };
  t.ok(panels.length >= 8);
  const asked = new Set<string>();
  for (const { title, targets } of panels) {
    const names = targets.flatMap(({ expr }) =>
      [...expr.matchAll(/\bpostcopy_[a-z_]+/g)].map(([name]) => name),
    );
    t.ok(names.length > 0, title);
    for (const name of names) {
      asked.add(name.replace(/_(bucket|sum|count)$/, ''));
      t.ok(printed.has(name) || printed.has(name.replace(/_(bucket|sum|count)$/, '')), name);
    }
  }
  t.strictSame(
    [...printed].filter((name) => !asked.has(name)),
    [],
    'and for each of them',
  );
});
