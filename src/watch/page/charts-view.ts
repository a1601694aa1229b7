// The three charts over time, with the figures of the moment beside their titles.
import type { PassFrame, RatesFrame } from '../model/frame.ts';
import { bytesText, countText, durationText, rateText } from '../model/quantities.ts';
import type { EndModel, RunModel } from '../model/run-model.ts';
import { attributeBytes, type Throughput } from '../model/throughput.ts';
import { lastAt } from '../model/time-order.ts';
import { byId, setFigures } from './elements.ts';
import type { Palette } from './palette.ts';
import type { Moment } from './session.ts';
import { type Series, TimeChart } from './time-chart.ts';

/** What the source sends is told by the source; by the destination as it comes, where that alone is joined. */
export function ratesEnd(run: RunModel): EndModel {
  return run.ends.source.rates.length > 0 ? run.ends.source : run.ends.destination;
}

function perSecond(pick: (rates: RatesFrame) => number): (rates: RatesFrame) => number | null {
  return (rates) => (rates.intervalNs > 0 ? pick(rates) / (rates.intervalNs / 1e9) : null);
}

/** Bytes the guest dirtied in a second of a pass. */
function dirtyRate(pass: PassFrame, before: { readonly at: number } | undefined): number | null {
  return before === undefined || pass.at <= before.at
    ? null
    : pass.dirtyBytes / ((pass.at - before.at) / 1e9);
}

/** The charts. */
export class ChartsView {
  readonly #throughput: TimeChart;
  readonly #dirty: TimeChart;
  readonly #faults: TimeChart;
  #attributed: Throughput[] = [];
  #attributedKey = '';

  constructor(palette: Palette) {
    const canvas = (id: string): HTMLCanvasElement => byId<HTMLCanvasElement>(id);
    this.#throughput = new TimeChart(canvas('throughput'), palette, { left: rateText });
    this.#dirty = new TimeChart(canvas('dirty'), palette, { left: bytesText, right: durationText });
    this.#faults = new TimeChart(canvas('faults'), palette, { left: (value) => `${countText(value)} /s` });
  }

  /** Draws all three. */
  draw(moment: Moment): void {
    const { run, at } = moment;
    const { rates } = ratesEnd(run);
    this.#drawThroughput(moment, rates);
    this.#drawDirty(moment);
    const faulting = run.ends.destination.rates;
    const faults = perSecond((frame) => frame.faults);
    this.#faults.draw(moment, [
      { color: 'request', items: faulting, value: faults, form: 'area' } satisfies Series<RatesFrame>,
    ]);
    const now = lastAt(faulting, at);
    setFigures(
      byId('faults-figure'),
      now === undefined
        ? []
        : [
            { text: `${countText(faults(now))} /s`, color: 'request' },
            { text: `${countText(now.requestsOpen)} requests open` },
          ],
    );
  }

  #drawThroughput(moment: Moment, rates: readonly RatesFrame[]): void {
    const key = `${rates.length} ${rates.at(-1)?.at} ${rates[0]?.at}`;
    if (key !== this.#attributedKey) {
      this.#attributedKey = key;
      this.#attributed = attributeBytes(rates);
    }
    const items = this.#attributed;
    const rate = (pick: (item: Throughput) => number) => (item: Throughput) =>
      item.intervalNs > 0 ? pick(item) / (item.intervalNs / 1e9) : null;
    const parts = [
      { name: 'precopy', color: 'precopy', value: rate((item) => item.precopy) },
      { name: 'background', color: 'push', value: rate((item) => item.background) },
      { name: 'urgent', color: 'request', value: rate((item) => item.urgent) },
      { name: 'under way', color: 'arriving', value: rate((item) => item.underWay) },
    ];
    this.#throughput.draw(
      moment,
      parts.map(({ color, value }): Series<Throughput> => ({ color, items, value, form: 'area' })),
    );
    const now = lastAt(items, moment.at);
    const shown = now === undefined ? [] : parts.filter(({ value }) => (value(now) ?? 0) > 0);
    setFigures(
      byId('throughput-figure'),
      shown.map(({ name, color, value }) => ({ text: `${name} ${rateText(value(now!))}`, color })),
    );
  }

  #drawDirty(moment: Moment): void {
    const { source } = moment.run.ends;
    const passes = { items: source.passes, form: 'step', scale: 'right' } as const;
    this.#dirty.draw(moment, [
      {
        color: 'precopy',
        items: source.rates,
        value: (frame) => frame.dirty,
        form: 'area',
      } satisfies Series<RatesFrame>,
      { ...passes, color: 'soft', value: (pass) => pass.expectedDowntimeOld } satisfies Series<PassFrame>,
      { ...passes, color: 'request', value: (pass) => pass.expectedDowntimeNew } satisfies Series<PassFrame>,
    ]);
    const left = lastAt(source.rates, moment.at);
    const pass = lastAt(source.passes, moment.at);
    const before =
      pass &&
      (source.passes[source.passes.indexOf(pass) - 1] ??
        source.states.find(({ state }) => state === 'active'));
    setFigures(byId('dirty-figure'), [
      ...(left === undefined ? [] : [{ text: bytesText(left.dirty), color: 'precopy' }]),
      ...(pass === undefined
        ? []
        : [
            { text: `+${rateText(dirtyRate(pass, before))}` },
            { text: `downtime ${durationText(pass.expectedDowntimeNew)}`, color: 'request' },
            { text: `old ${durationText(pass.expectedDowntimeOld)}`, color: 'soft' },
          ]),
    ]);
    byId('dirty-figure').title =
      'What is left to send; how fast the guest dirtied memory in the last pass; the downtime that QEMU expects, and expected before 3.0';
  }
}
