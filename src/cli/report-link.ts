// The emulated link of a result as text: what was asked, and what the run had.
import { formatBitRate, type LinkDirectionResult, type LinkResult } from '../telemetry/link-result.ts';
import { formatBytes, formatNs } from './format-quantity.ts';

function directionText({ bytesPerSecond, queueBytes, delayNs }: LinkDirectionResult): string {
  return `${formatBitRate(bytesPerSecond)}, ${formatNs(delayNs)} on the way, queue ${formatBytes(queueBytes)}`;
}

function lateText(name: string, { lateNs }: LinkDirectionResult): string {
  if (lateNs === null) return '';
  return `${name} p50 ${formatNs(lateNs.p50)} p99 ${formatNs(lateNs.p99)} max ${formatNs(lateNs.max)}`;
}

/** Lines of the link, without indent. */
export function linkLines({ forward, returnPath, roundTrip, verdict }: LinkResult): string[] {
  const [there, back] = [directionText(forward), directionText(returnPath)];
  const { askedNs, count, minNs, p50Ns } = roundTrip;
  const late = [lateText('to the destination', forward), lateText('back', returnPath)].filter(Boolean);
  return [
    there === back ? `each way: ${there}` : `to the destination: ${there}; back: ${back}`,
    verdict,
    count === 0
      ? `round trip: asked ${formatNs(askedNs)}, not measured: no PING was answered`
      : `round trip: asked ${formatNs(askedNs)}, measured ${formatNs(minNs)} (least of ${count} PINGs; p50 ${formatNs(p50Ns)})`,
    ...(late.length === 0 ? [] : [`handed over late by: ${late.join('; ')}`]),
  ];
}
