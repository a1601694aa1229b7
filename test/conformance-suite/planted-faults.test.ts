// The suite catches every planted fault, by the rules that are about it, and finds nothing wrong with good peers.
// `UPDATE_DOCS=1 npx tap dist/test/conformance-suite/planted-faults.test.js` writes the page that tells of them anew.
import { writeFileSync } from 'node:fs';
import t from 'tap';
import type { RuleResult } from '../../src/conformance/rule.ts';
import { readText, repositoryUrl } from '../fixtures.ts';
import { DESTINATION_FAULTS } from './destination-faults.ts';
import { plantedFaultsPage } from './planted-faults-page.ts';
import { caught, type PlantedFault, runAgainst } from './planted-peers.ts';
import { SOURCE_FAULTS } from './source-faults.ts';

const PAGE = 'docs/conformance/planted-faults.md';
/** A fault is waited for in vain for a while, in which others can be looked at. */
const AT_A_TIME = 4;

const PLANTED = [
  ...DESTINATION_FAULTS.map((each) => ({ role: 'destination' as const, ...each })),
  ...SOURCE_FAULTS.map((each) => ({ role: 'source' as const, ...each })),
];

/** What failed, in words. */
function failures(results: readonly RuleResult[]): string[] {
  return results.flatMap(({ rule, checks }) =>
    checks.flatMap(({ what, finding }) =>
      finding.verdict === 'failed'
        ? [`${rule.id}, ${what}: expected ${finding.expected}; seen ${finding.seen}`]
        : [],
    ),
  );
}

/** Rules that a good peer of ours must have been able to show. */
const LEAST_PASSED = { destination: 85, source: 45 } as const;

for (const role of ['destination', 'source'] as const) {
  t.test(`a good ${role} passes`, async (t) => {
    const results = await runAgainst({ role, fault: {} });
    t.strictSame(failures(results), []);
    const passed = results.filter(({ verdict }) => verdict === 'passed').length;
    t.ok(passed >= LEAST_PASSED[role], `${passed} rules of ${results.length}`);
  });
}

t.test('faults', async (t) => {
  t.jobs = AT_A_TIME;
  for (const { what, caughtBy, ...planted } of PLANTED) {
    t.test(`a ${planted.role} that ${what}: ${caughtBy.join(', ')}`, { buffered: true }, async (t) => {
      const results = await runAgainst(planted as PlantedFault, { ids: caughtBy });
      t.strictSame(caught(results), caughtBy.toSorted(byNumber), 'each of its rules fails');
    });
  }
});

function byNumber(one: string, other: string): number {
  return one.charCodeAt(0) - other.charCodeAt(0) || Number(one.slice(1)) - Number(other.slice(1));
}

t.test('each is another one, in both roles', async (t) => {
  t.ok(DESTINATION_FAULTS.length >= 15 && SOURCE_FAULTS.length >= 15);
  const named = PLANTED.map(({ role, what }) => `${role} ${what}`);
  t.equal(new Set(named).size, named.length);
});

t.test('the page tells of them', async (t) => {
  const page = plantedFaultsPage(PLANTED);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(repositoryUrl(PAGE), page);
  t.equal(readText(PAGE), page);
});
