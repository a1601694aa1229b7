// The state machines as Mermaid, printed from their transition tables.
import { POSTCOPY_TRANSITIONS } from '../../src/destination/incoming-states.ts';
import { PAGE_TRANSITIONS } from '../../src/machine/page-state.ts';
import { VCPU_TRANSITIONS } from '../../src/machine/vcpu-status.ts';
import { OUTGOING_TRANSITIONS } from '../../src/source/outgoing-states.ts';

type Transitions = Readonly<Record<string, Readonly<Partial<Record<string, string>>>>>;

const TABLES: Readonly<Record<string, Transitions>> = {
  OUTGOING_TRANSITIONS,
  POSTCOPY_TRANSITIONS,
  VCPU_TRANSITIONS,
  PAGE_TRANSITIONS,
};

/** A transition table as a Mermaid diagram; the first state is the initial one, those without a way out are final. */
export function mermaid(transitions: Transitions): string {
  const id = (state: string): string => state.replaceAll('-', '_');
  const states = Object.entries(transitions);
  const lines = ['stateDiagram-v2'];
  for (const [state] of states) if (id(state) !== state) lines.push(`  state "${state}" as ${id(state)}`);
  lines.push(`  [*] --> ${id(states[0]![0])}`);
  for (const [state, events] of states) {
    for (const [event, next] of Object.entries(events)) {
      lines.push(`  ${id(state)} --> ${id(next!)}: ${event}`);
    }
    if (Object.keys(events).length === 0) lines.push(`  ${id(state)} --> [*]`);
  }
  return lines.join('\n');
}

const PLACE = /(<!-- diagram: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g;

/** Names of the tables whose diagrams a document has, in order. */
export function diagramsIn(markdown: string): string[] {
  return [...markdown.matchAll(PLACE)].map((match) => match[2]!);
}

/** The document with its diagrams printed anew. */
export function withDiagrams(markdown: string): string {
  return markdown.replaceAll(PLACE, (_all, begin: string, name: string, end: string) => {
    const table = TABLES[name];
    if (table === undefined) throw new Error(`no transition table is called ${name}`);
    return `${begin}\`\`\`mermaid\n${mermaid(table)}\n\`\`\`\n${end}`;
  });
}

/** Names of all tables that there are. */
export const TABLE_NAMES: readonly string[] = Object.keys(TABLES);
