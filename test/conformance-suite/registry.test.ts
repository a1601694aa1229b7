// The tables of the suite are complete: every rule of the format and of the negotiation stands in them once.
import t from 'tap';
import type { Check } from '../../src/conformance/rule.ts';
import { RULES, rulesOf } from '../../src/conformance/rules.ts';
import type { Scenario } from '../../src/conformance/scenario.ts';
import { PROFILES } from '../../src/protocol/profile.ts';
import { readText } from '../fixtures.ts';

const range = (letter: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `${letter}${from + index}`);

/** The numbers of the rules; those of the destination have gaps between their groups. */
const IDS = [
  ...range('D', 1, 18),
  ...range('D', 20, 58),
  ...range('D', 60, 85),
  ...range('D', 90, 104),
  ...range('N', 1, 14),
  ...range('S', 1, 46),
];

const checksOf = (rule: (typeof RULES)[number]): readonly Check[] => ('checks' in rule ? rule.checks : []);

t.test('every rule stands in the tables once, in order', async (t) => {
  t.strictSame(
    RULES.map(({ id }) => id),
    IDS,
  );
});

t.test('a rule is checked, or says why it cannot be', async (t) => {
  for (const rule of RULES) {
    const says = 'unobservable' in rule ? rule.unobservable.length > 20 : rule.checks.length > 0;
    t.ok(says, rule.id);
    t.match(rule.sentence, /^[A-Z].*\.$/, `${rule.id} is a sentence`);
  }
});

t.test('a rule of both ends says of each check whom it tests', async (t) => {
  for (const rule of RULES.filter(({ role }) => role === 'both')) {
    t.ok(
      checksOf(rule).every(({ role }) => role !== undefined),
      rule.id,
    );
  }
});

t.test('scenarios have names of their own, and checks of a destination words', async (t) => {
  const byName = new Map<string, Scenario>();
  for (const { scenario } of RULES.flatMap(checksOf)) {
    const other = byName.get(scenario.name) ?? scenario;
    t.equal(other, scenario, scenario.name);
    byName.set(scenario.name, scenario);
  }
  for (const rule of RULES.filter(({ role }) => role === 'destination')) {
    for (const profile of PROFILES) {
      const due = checksOf(rule).filter((check) => check.profiles?.includes(profile) !== false);
      const words = due.map(({ what }) => what);
      t.equal(new Set(words).size, words.length, `${rule.id} in ${profile}`);
    }
  }
});

t.test('each role is given its rules', async (t) => {
  t.ok(rulesOf('destination').every(({ id }) => /^[DN]/.test(id)));
  t.ok(rulesOf('source').every(({ id }) => /^[SN]/.test(id)));
  t.notOk(
    rulesOf('destination').some(({ id }) => id === 'N1'),
    'N1 binds the source alone',
  );
});

t.test('docs/protocol.md has the rules of the negotiation', async (t) => {
  const documented = [...readText('docs/protocol.md').matchAll(/^- \*\*(N\d+)\*\*/gm)].map(([, id]) => id);
  t.strictSame(documented, range('N', 1, 14));
});
