// What is in RAM when a guest starts.

import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { OptionError } from '../errors.ts';
import { hashText, mix32, RANDOM_INCREMENT } from './mix32.ts';
import type { RamBlock, RamImage } from './ram-block.ts';
import { SEGMENT_PAGES_LOG2, TARGET_PAGE_BYTES, TARGET_PAGE_WORDS } from './ram-memory.ts';

/** Describes a fill so that it can be repeated. */
export type GuestFill =
  | { readonly kind: 'pattern'; readonly seed: number; readonly zeroPercent: number }
  | { readonly kind: 'file'; readonly sha256: string; readonly lengthBytes: number };

const TILE_PAGES = 256;
const LANE_WORDS = 16;
const READ_BYTES = 4 * 2 ** 20;
const SEGMENT_PAGE_MASK = 2 ** SEGMENT_PAGES_LOG2 - 1;

/**
 * Fills all blocks of a fresh image with pages that are all different, `zeroPercent` of them left zero.
 *
 * A page is one of 256 random ones, with a word in each of its lanes stamped by block and page: put elsewhere, or left
 * out, it shows. Pages left zero are not touched and so take no memory.
 */
export function fillPattern(image: RamImage, seed: number, zeroPercent = 25): GuestFill {
  const tile = randomTile(seed);
  for (const block of image.blocks) fillBlock(block, seed, zeroPercent, tile);
  return { kind: 'pattern', seed, zeroPercent };
}

function fillBlock(block: RamBlock, seed: number, zeroPercent: number, tile: readonly Uint8Array[]): void {
  const blockHash = mix32(hashText(block.name) ^ seed);
  for (let page = 0; page < block.targetPageCount; page += 1) {
    const pageHash = mix32(page ^ blockHash);
    if (pageHash % 100 < zeroPercent) continue;
    const segment = page >>> SEGMENT_PAGES_LOG2;
    const pageInSegment = page & SEGMENT_PAGE_MASK;
    block.bytes(segment).set(tile[page % TILE_PAGES]!, pageInSegment * TARGET_PAGE_BYTES);
    const words = block.words(segment);
    const firstWord = pageInSegment * TARGET_PAGE_WORDS;
    for (let lane = 0; lane < TARGET_PAGE_WORDS; lane += LANE_WORDS)
      words[firstWord + lane] = pageHash + lane;
  }
}

function randomTile(seed: number): Uint8Array[] {
  const words = new Uint32Array(TILE_PAGES * TARGET_PAGE_WORDS);
  for (let i = 0; i < words.length; i += 1) words[i] = mix32(seed + Math.imul(i + 1, RANDOM_INCREMENT));
  return Array.from(
    { length: TILE_PAGES },
    (_, page) => new Uint8Array(words.buffer, page * TARGET_PAGE_BYTES, TARGET_PAGE_BYTES),
  );
}

/**
 * Reads a file into the system blocks of a fresh image, from offset 0 of the first one on; the rest stays zero.
 * Throws OptionError `ram-image-too-large`, `ram-image-unreadable`.
 */
export function fillFromFile(image: RamImage, path: string): GuestFill {
  const blocks = image.blocks.filter((block) => block.spec.kind === 'system');
  const roomBytes = blocks.reduce((sum, block) => sum + block.lengthBytes, 0);
  const file = openRamImage(path);
  try {
    const fileBytes = fstatSync(file).size;
    if (fileBytes > roomBytes) throw tooLarge(path, fileBytes, roomBytes);
    const hash = createHash('sha256');
    let lengthBytes = 0;
    for (const block of blocks) {
      const readBytes = readBlock(file, path, block, hash.update.bind(hash));
      lengthBytes += readBytes;
      if (readBytes < block.lengthBytes) break;
    }
    // The file may have grown, or be a device that has no size.
    if (lengthBytes === roomBytes && readSync(file, Buffer.alloc(1)) > 0) {
      throw tooLarge(path, lengthBytes + 1, roomBytes);
    }
    return { kind: 'file', sha256: hash.digest('hex'), lengthBytes };
  } finally {
    closeSync(file);
  }
}

function openRamImage(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new OptionError('ram-image-unreadable', `cannot open the RAM image ${path}: ${cause}`, { cause });
  }
}

/** Reads up to the end of the block or of the file, straight into the block; returns the bytes read. */
function readBlock(file: number, path: string, block: RamBlock, onBytes: (bytes: Buffer) => void): number {
  let lengthBytes = 0;
  for (let i = 0; i < block.segmentCount; i += 1) {
    const segment = block.bytes(i);
    for (let at = 0; at < segment.length; ) {
      const wanted = Math.min(READ_BYTES, segment.length - at);
      let got: number;
      try {
        got = readSync(file, segment, at, wanted, null);
      } catch (cause) {
        throw new OptionError('ram-image-unreadable', `cannot read the RAM image ${path}: ${cause}`, {
          cause,
        });
      }
      if (got === 0) return lengthBytes;
      onBytes(segment.subarray(at, at + got));
      at += got;
      lengthBytes += got;
    }
  }
  return lengthBytes;
}

function tooLarge(path: string, fileBytes: number, roomBytes: number): OptionError {
  const message = `the RAM image ${path} has ${fileBytes} bytes or more, the system RAM ${roomBytes}`;
  return new OptionError('ram-image-too-large', message);
}
