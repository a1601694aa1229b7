// Dissects a vector's bytes as its head line says, in the pieces that it is given.
import { StreamDissector } from '../../src/protocol/dissect.ts';
import { PreemptDissector } from '../../src/protocol/dissect-preempt.ts';
import { ReturnPathDissector } from '../../src/protocol/dissect-return-path.ts';
import { toLines } from '../../src/protocol/dissection-lines.ts';
import type { Vector } from './vectors.ts';

function openDissector(vector: Vector, write: (line: string) => void) {
  const sink = toLines(write);
  const { stream, profile, begins, extension, ignoresRest } = vector;
  switch (stream) {
    case 'return path':
      return new ReturnPathDissector(sink, { profile, extension });
    case 'preempt':
      return new PreemptDissector(sink);
    case 'package':
      return new StreamDissector(sink, { profile, begins: 'sections', stream, extension });
    default:
      return new StreamDissector(sink, { profile, begins, stream, extension, ignoresRest });
  }
}

/**
 * Lines of the bytes in pieces that end at `ends` (ascending; the last one ends the stream). Each piece is an array
 * of its own that is overwritten once it was pushed, so a decoder that keeps a view of it is found out.
 */
export function dissectInPieces(vector: Vector, ends: Iterable<number>): string[] {
  const lines: string[] = [];
  const dissector = openDissector(vector, (line) => lines.push(line));
  let start = 0;
  for (const end of ends) {
    const piece = vector.bytes.slice(start, end);
    dissector.push(piece);
    piece.fill(0xee);
    start = end;
  }
  dissector.end();
  return lines;
}
