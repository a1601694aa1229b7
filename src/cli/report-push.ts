// What a push was good for, as text: only what the end whose result it is knows.
import type { PushResult } from '../telemetry/push-result.ts';
import { formatBytes, formatNs } from './format-quantity.ts';

/** Lines about the push, without indent; none where there was no postcopy. */
export function pushLines(push: PushResult | null): string[] {
  if (push === null) return [];
  const lines: string[] = [];
  if (push.strategy !== null) lines.push(...sourceLines(push));
  if (push.pushedHostPages !== null) lines.push(...destinationLines(push));
  return lines;
}

function sourceLines({
  strategy,
  requests,
  requestsFoundSent,
  pullNs,
  starvedNs,
  longestStarvedNs,
  ...composed
}: PushResult): string[] {
  const lines = [`${strategy}: ${requestsFoundSent} of ${requests} requests found their page sent (hits)`];
  if (pullNs !== null) lines.push(`pull only for ${formatNs(pullNs)}, then the rest was pushed`);
  lines.push(
    `background waited ${formatNs(starvedNs)} for requests, at most ${formatNs(longestStarvedNs)} at a time`,
  );
  const { restFirstHostPages, pieceBytes, pieces, piecesInterrupted } = composed;
  if (restFirstHostPages !== null)
    lines.push(`the rest of a requested host page first: ${restFirstHostPages} host pages`);
  if (pieces !== null)
    lines.push(
      `pieces of ${formatBytes(pieceBytes)}: ${pieces}, ${piecesInterrupted} of them interrupted by a request`,
    );
  return lines;
}

function destinationLines(push: PushResult): string[] {
  const { pushedHostPages, pushedTouched, pushedUntouched, faultedHostPages, faultedUnderWay } = push;
  const use =
    pushedTouched === null
      ? 'how many were touched is not known'
      : `${pushedTouched} touched (hits), ${pushedUntouched} not (wasted)`;
  return [
    `host pages that came unasked: ${pushedHostPages}; ${use}`,
    `host pages that faulted: ${faultedHostPages}, ${faultedUnderWay} of them after their first byte (hits)`,
  ];
}
