// Takes the contents of pages out of an exchange, which stays as long and can still be dissected.
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import type { ExchangePiece } from './exchange.ts';
import type { PassedRecord } from './source-view.ts';

/** Stands for the bytes of any page: a run of a source is mostly pages, and a suite keeps dozens of runs. */
const NO_CONTENT = new Uint8Array(TARGET_PAGE_BYTES);

/** Where the contents of the pages of a connection stand, in bytes, in order. */
function contentsOf(records: readonly PassedRecord[], conn: number): { start: number; end: number }[] {
  return records
    .filter((record) => record.conn === conn && record.dir === 'fwd' && record.name === 'PAGE')
    .map(({ offset, lengthBytes }) => {
      const end = offset + lengthBytes;
      return { start: end - TARGET_PAGE_BYTES, end };
    });
}

/** The pieces with zeros in the place of pages. `records` are those of the same exchange. */
export function forgetPages(
  pieces: readonly ExchangePiece[],
  records: readonly PassedRecord[],
): ExchangePiece[] {
  const streams = new Map<number, { contents: { start: number; end: number }[]; next: number; at: number }>();
  return pieces.flatMap((piece) => {
    if (piece.dir === 'ret') return [piece];
    const stream = streams.get(piece.conn) ?? { contents: contentsOf(records, piece.conn), next: 0, at: 0 };
    streams.set(piece.conn, stream);
    const end = stream.at + piece.bytes.length;
    const kept: ExchangePiece[] = [];
    const keep = (bytes: Uint8Array): void => {
      if (bytes.length > 0) kept.push({ ...piece, bytes });
    };
    let at = stream.at;
    for (let content = stream.contents[stream.next]; content !== undefined && content.start < end; ) {
      const from = Math.max(at, content.start);
      // A copy: a view would keep the whole piece.
      keep(piece.bytes.slice(at - stream.at, from - stream.at));
      at = Math.min(end, content.end);
      keep(NO_CONTENT.subarray(0, at - from));
      if (content.end > end) break;
      stream.next += 1;
      content = stream.contents[stream.next];
    }
    keep(piece.bytes.slice(at - stream.at));
    stream.at = end;
    return kept;
  });
}
