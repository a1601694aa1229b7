// Writes an exchange as dissected lines, whole or as short as shows what happened.
import { DissectionSession } from '../analysis/dissection-session.ts';
import type { TimedEntry } from '../analysis/timed-entry.ts';
import { dissectionLine } from '../protocol/dissection-lines.ts';
import type { Profile } from '../protocol/profile.ts';
import type { Exchange } from './exchange.ts';

/** An entry of the dissection, or the end of a connection. */
export type ExchangeEvent =
  | { readonly kind: 'entry'; readonly timed: TimedEntry }
  | {
      readonly kind: 'ending';
      readonly conn: number;
      readonly by: 'peer' | 'suite';
      readonly tSeconds: number;
    };

/** Dissects an exchange, in the order in which things happened. */
export function dissectExchange({ pieces, endings }: Exchange, profile: Profile): ExchangeEvent[] {
  const events: ExchangeEvent[] = [];
  const session = new DissectionSession(
    {
      entry: (timed) => events.push({ kind: 'entry', timed }),
      pageEnd: () => undefined,
    },
    { profile },
  );
  const left = [...endings];
  const endingsUpTo = (tSeconds: number): void => {
    while (left.length > 0 && left[0]!.tSeconds < tSeconds) events.push({ kind: 'ending', ...left.shift()! });
  };
  for (const { conn, dir, bytes, tSeconds } of pieces) {
    endingsUpTo(tSeconds);
    session.push(conn, dir, bytes, tSeconds);
  }
  endingsUpTo(Number.POSITIVE_INFINITY);
  return events;
}

/** A line of an event: `c0 >` towards the destination, `c0 <` towards the source. */
export function eventLine(event: ExchangeEvent): string {
  if (event.kind === 'ending') return `c${event.conn} x closed by the ${event.by}`;
  const { conn, dir, entry } = event.timed;
  const inPackage = entry.streamOffset > 0 ? '  ' : '';
  return `c${conn} ${dir === 'fwd' ? '>' : '<'} ${inPackage}${dissectionLine(entry)}`;
}

/** Every event of an exchange as a line. */
export function exchangeLines(exchange: Exchange, profile: Profile): string[] {
  return dissectExchange(exchange, profile).map(eventLine);
}

const RUN_KEPT = 1;
const LINES_KEPT = 24;

/** The lines that show how an exchange ended: pages in a row as one line, and no more than the last few. */
export function shortExchange(exchange: Exchange, profile: Profile): string[] {
  const lines: string[] = [];
  let run: ExchangeEvent[] = [];
  const flush = (): void => {
    if (run.length <= RUN_KEPT + 2) lines.push(...run.map(eventLine));
    else lines.push(eventLine(run[0]!), `     … ${run.length - 2} more pages …`, eventLine(run.at(-1)!));
    run = [];
  };
  for (const event of dissectExchange(exchange, profile)) {
    const key = pageKey(event);
    if (run.length > 0 && key !== pageKey(run[0]!)) flush();
    if (key === undefined) lines.push(eventLine(event));
    else run.push(event);
  }
  flush();
  if (lines.length <= LINES_KEPT) return lines;
  return [`     … ${lines.length - LINES_KEPT} lines before …`, ...lines.slice(-LINES_KEPT)];
}

/** What pages in a row have in common; undefined for anything else. */
function pageKey(event: ExchangeEvent): string | undefined {
  if (event.kind === 'ending' || event.timed.entry.kind === 'error') return undefined;
  const { conn, dir, entry } = event.timed;
  return entry.name === 'PAGE' || entry.name === 'ZERO' ? `${conn} ${dir}` : undefined;
}
