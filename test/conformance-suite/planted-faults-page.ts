// The page that tells which rules catch which planted fault.
import type { Role } from '../../src/conformance/rule.ts';
import { RULES } from '../../src/conformance/rules.ts';
import type { Planted } from './planted-fault.ts';

/** A fault with the end that has it. */
export type PlantedAt = Planted<unknown> & { readonly role: Role };

const TITLES: Readonly<Record<Role, string>> = { destination: 'Destinations', source: 'Sources' };

/** The page, in Markdown. */
export function plantedFaultsPage(planted: readonly PlantedAt[]): string {
  const sections = (['destination', 'source'] as const).map((role) => {
    const faults = planted.filter((each) => each.role === role);
    const rows = faults.map(({ what, caughtBy }) => `| ${what} | ${caughtBy.join(', ')} |`);
    const head = [
      `## ${TITLES[role]} with a fault: ${faults.length}`,
      '',
      `| the ${role} … | caught by |`,
      '|---|---|',
    ];
    return [...head, ...rows].join('\n');
  });
  const ids = new Set(planted.flatMap(({ caughtBy }) => caughtBy));
  const sentences = RULES.filter(({ id }) => ids.has(id)).map(
    ({ id, sentence }) => `- **${id}** ${sentence}`,
  );
  return `# Planted faults

Who judges peers has to show that bad ones are found. \`test/conformance-suite\` runs \`postcopy conform\` against ${planted.length} peers of our
own with one fault each, and every rule that stands beside a fault must fail for it; the same peers without a fault pass. They are
the cores of our destination and source, in one process with the suite: what they send, hear, answer or tell is changed on the way. A
destination that *takes* something bad overlooks its error, throws the rest of the stream away, and says SHUT 0.

The table names the rules that are about the fault. Most faults break further ones: a destination that answers no PING, say, fails
wherever a PONG tells how far it has come. This page is printed from the faults, and a test compares.

${sections.join('\n\n')}

## The rules in question

${sentences.join('\n')}
`;
}
