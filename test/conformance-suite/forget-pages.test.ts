// Without the contents of its pages an exchange is as long as before, and dissects to the same.
import t from 'tap';
import type { ExchangePiece } from '../../src/conformance/exchange.ts';
import { exchangeLines } from '../../src/conformance/exchange-lines.ts';
import { forgetPages } from '../../src/conformance/forget-pages.ts';
import { viewOf } from '../../src/conformance/source-view.ts';
import { readCapture } from './captured-exchange.ts';

const PROFILE = '7.2';
/** Cuts within page words, bodies and names; larger than any piece is none at all. */
const PIECE_BYTES = [1000, 4096, 4105, 70_001, 2 ** 30];

function cut(bytes: Uint8Array, conn: number, pieceBytes: number): ExchangePiece[] {
  const pieces: ExchangePiece[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    pieces.push({ conn, dir: 'fwd', bytes: bytes.subarray(at, at + pieceBytes), tSeconds: pieces.length });
  }
  return pieces;
}

for (const pieceBytes of PIECE_BYTES) {
  t.test(`pieces of ${pieceBytes}`, async (t) => {
    const pieces = readCapture('f1-preempt-4k-bios').flatMap((bytes, conn) => cut(bytes, conn, pieceBytes));
    const exchange = { openings: [], endings: [], pieces };
    const { records } = viewOf(exchange, PROFILE);
    const forgotten = { ...exchange, pieces: forgetPages(pieces, records) };
    const length = (all: readonly ExchangePiece[]): number =>
      all.reduce((sum, { bytes }) => sum + bytes.length, 0);
    t.equal(length(forgotten.pieces), length(pieces));
    t.strictSame(exchangeLines(forgotten, PROFILE), exchangeLines(exchange, PROFILE));
    const kept = forgotten.pieces.filter(({ bytes }) => bytes.some((byte) => byte !== 0));
    t.ok(length(kept) < length(pieces) / 20, 'little is kept');
  });
}
