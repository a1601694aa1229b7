// Lays an exchange out as rows for a page: each record with its place, its fields and its first bytes, pages in a row as one.
import { channelOffset } from '../analysis/timed-entry.ts';
import { hex } from '../protocol/bytes.ts';
import type { Direction } from '../protocol/dissection-entry.ts';
import { dissectionLine, showFields } from '../protocol/dissection-lines.ts';
import type { Profile } from '../protocol/profile.ts';
import type { Exchange } from './exchange.ts';
import { dissectExchange, type ExchangeEvent } from './exchange-lines.ts';

/** A row: something that passed, or that stands for what is left out. */
export type ExchangeRow =
  | {
      readonly kind: 'record' | 'error';
      readonly tSeconds: number;
      readonly conn: number;
      readonly dir: Direction;
      readonly isInPackage: boolean;
      /** Where it begins in its direction of the connection, in hexadecimal. */
      readonly offset: string;
      readonly lengthBytes: number;
      readonly name: string;
      readonly fields: string;
      /** Its first bytes in hexadecimal. */
      readonly bytes: string;
    }
  | {
      readonly kind: 'ending';
      readonly tSeconds: number;
      readonly conn: number;
      readonly by: 'peer' | 'suite';
    }
  | { readonly kind: 'folded'; readonly text: string };

const BYTES_SHOWN = 16;
/** Pages in a row of which the first and the last are shown. */
const PAGES_SHOWN = 3;

/** The rows of an exchange; the first and the last ones where there are more than `limit`. */
export function exchangeRows(exchange: Exchange, profile: Profile, limit: number): ExchangeRow[] {
  const bytesAt = streamBytes(exchange);
  const rows: ExchangeRow[] = [];
  let pages: ExchangeRow[] = [];
  const flush = (): void => {
    if (pages.length <= PAGES_SHOWN) rows.push(...pages);
    else rows.push(pages[0]!, { kind: 'folded', text: `${pages.length - 2} more pages` }, pages.at(-1)!);
    pages = [];
  };
  let last = '';
  for (const event of dissectExchange(exchange, profile)) {
    const row = rowOf(event, bytesAt);
    const stream = pageStream(event);
    if (stream !== last) flush();
    last = stream;
    if (stream === '') rows.push(row);
    else pages.push(row);
  }
  flush();
  if (rows.length <= limit) return rows;
  const half = Math.floor(limit / 2);
  const folded: ExchangeRow = { kind: 'folded', text: `${rows.length - 2 * half} more rows` };
  return [...rows.slice(0, half), folded, ...rows.slice(-half)];
}

/** Bytes of each direction of each connection, by its name. */
export function exchangedBytes({ pieces }: Exchange): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { conn, dir, bytes } of pieces) {
    const key = `c${conn}.${dir}`;
    counts[key] = (counts[key] ?? 0) + bytes.length;
  }
  return counts;
}

type BytesAt = (conn: number, dir: Direction, offset: number, lengthBytes: number) => Uint8Array;

/** Finds bytes by their offset in a direction of a connection, without joining all pieces. */
function streamBytes({ pieces }: Exchange): BytesAt {
  const streams = new Map<string, { readonly start: number; readonly bytes: Uint8Array }[]>();
  for (const { conn, dir, bytes } of pieces) {
    const key = `c${conn}.${dir}`;
    const stream = streams.get(key) ?? [];
    streams.set(key, stream);
    const before = stream.at(-1);
    stream.push({ start: before === undefined ? 0 : before.start + before.bytes.length, bytes });
  }
  return (conn, dir, offset, lengthBytes) => {
    const found: number[] = [];
    for (const { start, bytes } of streams.get(`c${conn}.${dir}`) ?? []) {
      const [from, to] = [Math.max(0, offset - start), Math.min(bytes.length, offset + lengthBytes - start)];
      if (from < to) found.push(...bytes.subarray(from, to));
      if (start + bytes.length >= offset + lengthBytes) break;
    }
    return Uint8Array.from(found);
  };
}

function rowOf(event: ExchangeEvent, bytesAt: BytesAt): ExchangeRow {
  if (event.kind === 'ending') return event;
  const { conn, dir, entry, tSeconds = 0 } = event.timed;
  const at = channelOffset(entry);
  const lengthBytes = entry.kind === 'error' ? BYTES_SHOWN : entry.lengthBytes;
  const place = { tSeconds, conn, dir, isInPackage: entry.streamOffset > 0, offset: hex(at, 4) };
  const shown = bytesAt(conn, dir, at, Math.min(lengthBytes, BYTES_SHOWN));
  const bytes = Array.from(shown, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const rest = lengthBytes > BYTES_SHOWN && shown.length === BYTES_SHOWN ? ' …' : '';
  const common = { ...place, bytes: bytes + rest };
  if (entry.kind === 'record')
    return { kind: 'record', ...common, lengthBytes, name: entry.name, fields: showFields(entry) };
  const [name = '', ...fields] = dissectionLine(entry)
    .replace(/^error off=\S+ /, '')
    .split(' ');
  return { kind: 'error', ...common, lengthBytes: 0, name, fields: fields.join(' ') };
}

/** Names the stream of a page record; empty for all else. */
function pageStream(event: ExchangeEvent): string {
  if (event.kind === 'ending' || event.timed.entry.kind === 'error') return '';
  const { conn, dir, entry } = event.timed;
  return entry.name === 'PAGE' || entry.name === 'ZERO' ? `c${conn}.${dir}` : '';
}
