// Writes the results of a suite as one page that a person can read, with nothing outside of it.
import { formatByteSize } from '../machine/byte-size.ts';
import { escapeMarkup as text } from './escape-markup.ts';
import { exchangedBytes } from './exchange-rows.ts';
import type { Report, SuitePlan, SuiteSummary } from './report.ts';
import { exchangeTable } from './report-html-exchange.ts';
import { STYLE } from './report-html-style.ts';
import type { CheckResult, Rule, RuleResult, Verdict } from './rule.ts';

/** Words and marks of the verdicts, in the order in which they are shown; a colour alone tells nobody anything. */
const VERDICTS: Readonly<Record<Verdict, { readonly word: string; readonly mark: string }>> = {
  failed: { word: 'failed', mark: '✗' },
  passed: { word: 'passed', mark: '✓' },
  'not-run': { word: 'not run', mark: '–' },
  unobservable: { word: 'unobservable', mark: '◌' },
};

/** Chapters by the numbers of their last rules, as the rules are counted. */
const CHAPTERS: readonly { readonly letter: string; readonly last: number; readonly title: string }[] = [
  { letter: 'D', last: 19, title: 'Framing' },
  { letter: 'D', last: 59, title: 'Commands' },
  { letter: 'D', last: 89, title: 'RAM' },
  { letter: 'D', last: 999, title: 'Return path, errors, recovery, preempt' },
  { letter: 'N', last: 999, title: 'Host page negotiation' },
  { letter: 'S', last: 999, title: 'What a source sends, and how it takes what comes back' },
];

/** A page, when all has been run. */
export class HtmlReport implements Report {
  readonly #write: (text: string) => void;
  readonly #chapters = new Map<string, { readonly ids: string[]; readonly rules: string[] }>();
  #plan: SuitePlan | undefined;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  begin(plan: SuitePlan): void {
    this.#plan = plan;
  }

  result(result: RuleResult): void {
    const title = chapterOf(result.rule);
    const chapter = this.#chapters.get(title) ?? { ids: [], rules: [] };
    this.#chapters.set(title, chapter);
    chapter.ids.push(result.rule.id);
    chapter.rules.push(this.#rule(result));
  }

  end(summary: SuiteSummary): void {
    const { subject } = this.#plan!;
    const title = `Conformance of a ${subject.role}`;
    const chapters = [...this.#chapters].map(
      ([name, { ids, rules }]) =>
        `<section><h2>${text(name)} <span>${ids[0]}${ids.length > 1 ? ` to ${ids.at(-1)}` : ''}</span></h2>\n${rules.join('\n')}\n</section>`,
    );
    this.#write(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${text(title)}, profile ${subject.profile}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<p class="kicker">postcopy conform</p>
<h1>${text(title)}</h1>
<p class="peer"><code>${text(this.#plan!.peer)}</code></p>
${this.#facts(summary)}
${proportions(summary)}
${filters(summary)}
</header>
<main>
${chapters.join('\n')}
</main>
</body>
</html>
`);
  }

  #facts({ elapsedMs }: SuiteSummary): string {
    const { subject, startedAt } = this.#plan!;
    const blocks = subject.blocks.map(
      ({ name, lengthBytes, hostPageBytes }) =>
        `<li><code>${text(name)}</code> ${formatByteSize(lengthBytes)}, host page ${formatByteSize(hostPageBytes)}</li>`,
    );
    const devices = subject.recorded?.machine.devices.length;
    const facts: [string, string][] = [
      ['Profile', text(subject.profile)],
      ['Machine', `<code>${text(subject.machine)}</code>`],
      ['RAM', `<ul>${blocks.join('')}</ul>`],
      ...(devices === undefined
        ? []
        : [['Device state', `${devices} recorded sections`] as [string, string]]),
      [
        'Run',
        `${text(startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC'))}, ${(elapsedMs / 1000).toFixed(1)} s`,
      ],
    ];
    return `<dl class="facts">${facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>`;
  }

  #rule({ rule, verdict, reason, checks }: RuleResult): string {
    const why = reason === undefined ? '' : `<small>${text(reason)}</small>`;
    const body = checks.map((check) => this.#check(check, reason)).join('');
    const profiles =
      rule.profiles === undefined
        ? ''
        : `<p class="profiles">Holds in profile ${rule.profiles.join(', ')}</p>`;
    return `<details class="rule ${verdict}" id="${text(rule.id)}"${verdict === 'failed' ? ' open' : ''}>
<summary>${badge(verdict)}<b>${text(rule.id)}</b><span class="sentence">${text(rule.sentence)}${why}</span></summary>
<div class="body">${profiles}${body}</div>
</details>`;
  }

  #check({ what, scenario, finding, exchange }: CheckResult, told: string | undefined): string {
    const { verdict } = finding;
    const rows: [string, string][] =
      finding.verdict === 'not-run'
        ? finding.why === told
          ? []
          : [['why', finding.why]]
        : [
            ['expected', finding.expected],
            ['seen', finding.seen],
          ];
    const scene = scenario === what ? '' : `<p class="scene">in the run: ${text(scenario)}</p>`;
    const list = rows.map(([name, value]) => `<dt>${name}</dt><dd>${text(value)}</dd>`).join('');
    const shown =
      exchange === undefined
        ? ''
        : `<details class="exchange"><summary>what passed: ${passed(exchangedBytes(exchange))}</summary>${exchangeTable(exchange, this.#plan!.subject.profile)}</details>`;
    return `<article class="${verdict}"><h3>${badge(verdict)}${text(what)}</h3>${scene}<dl>${list}</dl>${shown}</article>`;
  }
}

function badge(verdict: Verdict): string {
  const { word, mark } = VERDICTS[verdict];
  return `<i class="badge ${verdict}"><span aria-hidden="true">${mark}</span> ${word}</i>`;
}

function passed(bytes: Readonly<Record<string, number>>): string {
  const parts = Object.entries(bytes).map(([stream, count]) => {
    const [conn, dir] = stream.split('.');
    return `${count} bytes ${dir === 'fwd' ? 'to the destination' : 'back'}${conn === 'c0' ? '' : ` on ${conn}`}`;
  });
  return parts.join(', ') || 'nothing';
}

/** A bar of all verdicts. */
function proportions({ counts }: SuiteSummary): string {
  const parts = entries(counts).filter(([, count]) => count > 0);
  const told = parts.map(([verdict, count]) => `${count} ${VERDICTS[verdict].word}`).join(', ');
  const bars = parts.map(([verdict, count]) => `<i class="${verdict}" style="flex-grow:${count}"></i>`);
  return `<div class="proportions" role="img" aria-label="${told}">${bars.join('')}</div>`;
}

/** Radio buttons that the style goes by: the page needs no script. */
function filters({ counts }: SuiteSummary): string {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const options = [
    { id: 'all', word: 'all rules', count: all },
    ...entries(counts).map(([verdict, count]) => ({ id: verdict, word: VERDICTS[verdict].word, count })),
  ];
  const inputs = options.map(
    ({ id, word, count }) =>
      `<label class="${id}"><input type="radio" name="show" id="show-${id}"${id === 'all' ? ' checked' : ''}><b>${count}</b> ${word}</label>`,
  );
  return `<fieldset class="filters"><legend>Show</legend>${inputs.join('')}</fieldset>`;
}

function entries(counts: SuiteSummary['counts']): [Verdict, number][] {
  return (Object.keys(VERDICTS) as Verdict[]).map((verdict) => [verdict, counts[verdict]]);
}

function chapterOf({ id }: Rule): string {
  const number = Number(id.slice(1));
  return CHAPTERS.find(({ letter, last }) => id.startsWith(letter) && number <= last)!.title;
}
