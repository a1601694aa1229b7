// Plots where the mean stall of each cell went: its hops, as shares of it.
import { formatNs } from '../../../src/cli/format-quantity.ts';
import type { StallHops } from '../../../src/telemetry/stalls.ts';
import { element, type Markup } from './markup.ts';
import type { PlotRow } from './row-plot.ts';

const HOPS: readonly (readonly [keyof StallHops, string])[] = [
  ['queueNs', 'fault to request written'],
  ['firstByteNs', 'request to first byte'],
  ['placeNs', 'first byte to page present'],
  ['resumeNs', 'page present to vCPU running'],
];

function bar({ label, summary }: PlotRow): Markup {
  const hops = summary.hops!;
  const totalNs = HOPS.reduce((sum, [name]) => sum + hops[name], 0);
  const parts = HOPS.map(([name, title], index) => {
    const percent = totalNs === 0 ? 0 : (hops[name] / totalNs) * 100;
    const text = `${title}: ${formatNs(hops[name])}, ${percent.toFixed(0)} %`;
    return element(
      'span',
      { class: `part back-${index + 1}`, style: `width:${percent.toFixed(2)}%`, title: text },
      percent >= 12 ? `${percent.toFixed(0)} %` : '',
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
export function hopPlot(rows: readonly PlotRow[]): Markup[] {
  const stalled = rows.filter(({ summary }) => summary.hops !== null);
  if (stalled.length === 0) return [];
  const entries = HOPS.map(([, title], index) =>
    element('span', { class: 'entry' }, element('span', { class: `swatch back-${index + 1}` }), title),
  );
  const heading = element(
    'tr',
    {},
    ['cell', 'mean stall', 'share of each hop'].map((text) => element('th', { scope: 'col' }, text)),
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
