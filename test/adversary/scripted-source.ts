// A source made of labelled pieces of a stream, so that a test can break exactly one wire rule.

import { initialVcpuStates } from '../../src/machine/initial-vcpu-states.ts';
import { encodeVcpuState } from '../../src/machine/vcpu-state.ts';
import { encodeCommand } from '../../src/protocol/commands.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { NEGOTIATION_COOKIE } from '../../src/protocol/negotiation-messages.ts';
import {
  encodeEos,
  encodeRamList,
  encodeRecordHead,
  encodeZeroRecord,
  RAM_FLAG,
} from '../../src/protocol/ram-records.ts';
import { encodeHeader, encodeSection } from '../../src/protocol/sections.ts';

const K = 1024;
export const PAGE = 4 * K;
/** pc.ram: four host pages of four target pages. vga.vram: four host pages of one. */
export const HOST_PAGE = 16 * K;
export const RAM_BYTES = 64 * K;
export const VGA_BYTES = 16 * K;

/** A run of bytes that a test can find by its label. */
export interface Piece {
  readonly label: string;
  readonly bytes: Uint8Array;
}

export function piece(label: string, ...parts: readonly Uint8Array[]): Piece {
  return { label, bytes: joinBytes(parts) };
}

/** A PAGE record; the byte it is filled with tells block and page. */
export function pageRecord(
  block: string,
  page: number,
  options: { named?: boolean; fill?: number } = {},
): Piece {
  const { named = true, fill = fillByte(block, page) } = options;
  return piece(
    `page ${block} ${page}`,
    encodeRecordHead(page * PAGE, RAM_FLAG.PAGE, named ? block : undefined),
    new Uint8Array(PAGE).fill(fill),
  );
}

export function fillByte(block: string, page: number): number {
  return (block === 'pc.ram' ? 0x40 : 0x80) + page;
}

export function discard(
  block: string,
  ...ranges: readonly (readonly [start: number, length: number])[]
): Piece {
  return piece(
    `discard ${block}`,
    encodeCommand('POSTCOPY_RAM_DISCARD', {
      version: 0,
      block,
      terminator: 0,
      ranges: ranges.map(([start, length]) => ({ start, length })),
    }),
  );
}

export function ping(value: number): Piece {
  return piece(`ping ${value}`, encodeCommand('PING', { value }));
}

const START = encodeSection('SECTION_START', { sectionId: 2, idstr: 'ram', instanceId: 0, versionId: 4 });
const FOOTER = encodeSection('SECTION_FOOTER', { sectionId: 2 });

/** Leaves the page size of pc.ram out of the RAM list. */
export const NO_PAGE_SIZE = 0;

export function ramList(pageSize = HOST_PAGE): Piece {
  const pcRam = { block: 'pc.ram', length: RAM_BYTES };
  return piece(
    'ram list',
    START,
    encodeRamList([
      pageSize === NO_PAGE_SIZE ? pcRam : { ...pcRam, pageSize },
      { block: 'vga.vram', length: VGA_BYTES },
    ]),
    encodeEos(),
    FOOTER,
  );
}

export function advise(summary = HOST_PAGE + PAGE, targetPageSize = PAGE): Piece {
  return piece('advise', encodeCommand('POSTCOPY_ADVISE', { pageSizeSummary: summary, targetPageSize }));
}

export const PART: Piece = piece('part', encodeSection('SECTION_PART', { sectionId: 2 }));
export const END_OF_PART: Piece = piece('end of part', encodeEos(), FOOTER);

/** A whole device section of one vCPU. */
export function vcpuSection(): Uint8Array {
  const [state] = initialVcpuStates({
    vcpus: 1,
    program: 'idle',
    seed: 1,
    writePercent: 0,
    ratePerSecond: 1,
    totalPages: (RAM_BYTES + VGA_BYTES) / PAGE,
  });
  return joinBytes([
    encodeSection('SECTION_FULL', { sectionId: 3, idstr: 'postcopy/vcpu', instanceId: 0, versionId: 1 }),
    encodeVcpuState(state!),
    encodeSection('SECTION_FOOTER', { sectionId: 3 }),
  ]);
}

/** What a package holds, in order. */
export function packageOf(...parts: readonly Uint8Array[]): Piece {
  const blob = joinBytes(parts);
  return piece('package', encodeCommand('PACKAGED', { length: blob.length }), blob);
}

export const LISTEN = encodeCommand('POSTCOPY_LISTEN', {});
export const RUN = encodeCommand('POSTCOPY_RUN', {});
export const PING_3 = encodeCommand('PING', { value: 3 });

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/**
 * A migration that keeps every rule. Precopy sends host pages 0 and 1 of pc.ram and all of vga.vram; host page 1 and
 * vga page 3 are dirty again, 2 and 3 were never sent: all four are discarded, and come in postcopy.
 */
export function honestSource(): Piece[] {
  return [
    piece('header', encodeHeader()),
    piece('configuration', encodeSection('CONFIGURATION', { machine: 'none' })),
    piece('open return path', encodeCommand('OPEN_RETURN_PATH', {})),
    ping(NEGOTIATION_COOKIE),
    advise(),
    ramList(),
    PART,
    ...range(8).map((page) => ({ ...pageRecord('pc.ram', page), label: `precopy pc.ram ${page}` })),
    ...range(4).map((page) => ({ ...pageRecord('vga.vram', page), label: `precopy vga.vram ${page}` })),
    END_OF_PART,
    discard('pc.ram', [HOST_PAGE, 3 * HOST_PAGE]),
    discard('vga.vram', [3 * PAGE, PAGE]),
    ping(2),
    packageOf(LISTEN, vcpuSection(), PING_3, RUN),
    ping(4),
    PART,
    ...range(12).map((index) => pageRecord('pc.ram', 4 + index, { named: index === 0 })),
    pageRecord('vga.vram', 3),
    END_OF_PART,
    piece('end', encodeSection('SECTION_END', { sectionId: 2 }), encodeEos(), FOOTER),
    piece('eof', encodeSection('EOF', {})),
  ];
}

/** Where the labelled piece is. A label that is not there is a mistake of the test. */
function find(pieces: readonly Piece[], label: string): number {
  const index = pieces.findIndex((candidate) => candidate.label === label);
  if (index === -1) throw new Error(`no piece is called '${label}'`);
  return index;
}

/** The stream without some pieces. */
export function without(pieces: readonly Piece[], ...labels: readonly string[]): Piece[] {
  for (const label of labels) find(pieces, label);
  return pieces.filter((candidate) => !labels.includes(candidate.label));
}

/** The stream with one piece replaced by others. */
export function replace(pieces: readonly Piece[], label: string, ...by: readonly Piece[]): Piece[] {
  return pieces.toSpliced(find(pieces, label), 1, ...by);
}

/** The stream with pieces put in before one. */
export function before(pieces: readonly Piece[], label: string, ...added: readonly Piece[]): Piece[] {
  return pieces.toSpliced(find(pieces, label), 0, ...added);
}

/** The stream with pieces put in behind one. */
export function after(pieces: readonly Piece[], label: string, ...added: readonly Piece[]): Piece[] {
  return pieces.toSpliced(find(pieces, label) + 1, 0, ...added);
}

/** The stream with one piece moved to before another. */
export function move(pieces: readonly Piece[], label: string, target: string): Piece[] {
  const moved = pieces[find(pieces, label)]!;
  return before(pieces.toSpliced(find(pieces, label), 1), target, moved);
}

/** A zero record of the block last named. */
export function zeroRecord(page: number, fill = 0): Piece {
  return piece(`zero ${page}`, encodeZeroRecord(page * PAGE, undefined, fill));
}
