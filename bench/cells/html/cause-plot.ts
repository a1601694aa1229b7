// Plots where the mean stall of each cell went: what its vCPU waited for, as shares of it.
import { formatNs } from '../../../src/cli/format-quantity.ts';
import { STALL_CAUSE_NAMES, STALL_CAUSES, type StallCause } from '../../../src/telemetry/stall-causes.ts';
import { element, type Markup } from './markup.ts';
import type { PlotRow } from './row-plot.ts';
import { COLOUR_COUNT } from './style.ts';

/** Shares under this are too narrow for their number. */
const LABELLED_PERCENT = 12;

/** A row with the causes of its stalls. */
interface StalledRow {
  readonly label: string;
  readonly causes: Readonly<Record<StallCause, number>>;
}

/** More causes than colours: those are hatched the second time round. */
function colourOf(cause: StallCause): string {
  const index = STALL_CAUSE_NAMES.indexOf(cause);
  const back = `back-${(index % COLOUR_COUNT) + 1}`;
  return index < COLOUR_COUNT ? back : `${back} hatched`;
}

function bar({ label, causes }: StalledRow): Markup {
  const totalNs = STALL_CAUSE_NAMES.reduce((sum, cause) => sum + causes[cause], 0);
  const parts = STALL_CAUSE_NAMES.filter((cause) => causes[cause] > 0).map((cause) => {
    const percent = (causes[cause] / totalNs) * 100;
    const text = `${STALL_CAUSES[cause]}: ${formatNs(causes[cause])}, ${percent.toFixed(0)} %`;
    return element(
      'span',
      { class: `part ${colourOf(cause)}`, style: `width:${percent.toFixed(2)}%`, title: text },
      percent >= LABELLED_PERCENT ? `${percent.toFixed(0)} %` : '',
    );
  });
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, label),
    element('td', { class: 'number' }, formatNs(totalNs)),
    element('td', { class: 'wide' }, element('div', { class: 'stack' }, parts)),
  );
}

/** The plot; empty where no vCPU waited. */
export function causePlot(rows: readonly PlotRow[]): Markup[] {
  const stalled = rows.flatMap(({ label, summary: { causes } }) =>
    causes === null ? [] : [{ label, causes }],
  );
  if (stalled.length === 0) return [];
  const shown = STALL_CAUSE_NAMES.filter((cause) => stalled.some(({ causes }) => causes[cause] > 0));
  const entries = shown.map((cause) =>
    element(
      'span',
      { class: 'entry' },
      element('span', { class: `swatch ${colourOf(cause)}` }),
      STALL_CAUSES[cause],
    ),
  );
  const heading = element(
    'tr',
    {},
    ['cell', 'mean stall', 'share of each cause'].map((text) => element('th', { scope: 'col' }, text)),
  );
  return [
    element('p', { class: 'legend' }, entries),
    element(
      'div',
      { class: 'scroll' },
      element('table', {}, element('thead', {}, heading), element('tbody', {}, stalled.map(bar))),
    ),
  ];
}
