// What vCPUs waited for, as text: the biggest cause in words, the share of each, and how sure the split is.
import type { ClockAlignment } from '../telemetry/clock-alignment.ts';
import { STALL_CAUSE_NAMES, STALL_CAUSES, type StallCauses } from '../telemetry/stall-causes.ts';
import { formatNs } from './format-quantity.ts';
import { wrap } from './text-layout.ts';

const WIDTH = 78;

function clockText({ isOneClock, offsetNs, uncertaintyNs, roundTripNs }: ClockAlignment): string {
  const measured = `${offsetNs < 0 ? '-' : ''}${formatNs(Math.abs(offsetNs))} ± ${formatNs(uncertaintyNs)}`;
  const by = `by a round trip of ${formatNs(roundTripNs)}`;
  return isOneClock ? `one clock at both ends (${measured} ${by})` : `clocks aligned to ${measured} ${by}`;
}

/** Lines about the causes of stalls, without indent; none without stalls. */
export function causeLines({ shares, clock, toldCount, clippedCount, clippedMaxNs }: StallCauses): string[] {
  if (shares === null) return [];
  const ranked = STALL_CAUSE_NAMES.filter((name) => shares[name] > 0).sort((a, b) => shares[b] - shares[a]);
  const percent = (share: number): string => (share < 0.01 ? '<1 %' : `${Math.round(share * 100)} %`);
  const [first] = ranked;
  const list = ranked.map((name) => `${name} ${percent(shares[name])}`).join(', ');
  const clipped = clippedCount === 0 ? '' : `; ${clippedCount} clipped, by ${formatNs(clippedMaxNs)} at most`;
  const details = [list];
  if (clock !== null) details.push(`${clockText(clock)}; ${toldCount} stalls told by the source${clipped}`);
  return [
    `${percent(shares[first!])} of the stall waited for ${STALL_CAUSES[first!]}`,
    ...details.flatMap((text) => wrap(text, WIDTH - 2, '  ').map((line) => `  ${line}`)),
  ];
}
