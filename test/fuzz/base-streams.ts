// Valid streams to begin with: scripted, of our own source, and captured from QEMU; cut into records.

import { joinBytes } from '../../src/protocol/message.ts';
import { NEGOTIATION_COOKIE } from '../../src/protocol/negotiation-messages.ts';
import { encodeEos } from '../../src/protocol/ram-records.ts';
import { encodeReceivedBitmap } from '../../src/protocol/received-bitmap.ts';
import { encodeReturnPath } from '../../src/protocol/return-path-messages.ts';
import { recordTiny } from '../adversary/recorded-migration.ts';
import {
  after,
  before,
  honestSource,
  type Piece,
  pageRecord,
  ping,
  replace,
  without,
  zeroRecord,
} from '../adversary/scripted-source.ts';
import { readCapture } from '../fixtures.ts';
import { type CutRecord, cutMain, cutPreempt, cutReturnPath } from './cut-records.ts';

/** A migration's streams from the source, in records. */
export interface BaseStream {
  readonly name: string;
  readonly main: readonly CutRecord[];
  /** Empty where there is no preempt channel. */
  readonly preempt: readonly CutRecord[];
  /** Which host pages the destination must have for it, as `HOST_PAGE_LAYOUTS` names them. */
  readonly hostPages: number;
}

/** Host pages in bytes, by block or for all others: index 0 for the scripted guest, 1 for 4 KiB, 2 for d2 and f2. */
export const HOST_PAGE_LAYOUTS: readonly { defaultBytes: number; byName: ReadonlyMap<string, number> }[] = [
  { defaultBytes: 16_384, byName: new Map([['vga.vram', 4096]]) },
  { defaultBytes: 4096, byName: new Map() },
  { defaultBytes: 4096, byName: new Map([['ram0', 2 ** 21]]) },
];

const bytesOf = (pieces: readonly Piece[]): Uint8Array => joinBytes(pieces.map(({ bytes }) => bytes));

/** The honest source, some of whose host pages come on the preempt channel. */
function preempting(): BaseStream {
  const honest = honestSource();
  const requested = honest.filter(({ label }) => /^page pc\.ram (8|9|10|11)$/.test(label));
  // The first of them is to name its block: it is the one before it that has done so on the main channel.
  const named = honest.find(({ label }) => label === 'page pc.ram 4')!;
  const rest = without(honest, ...requested.map(({ label }) => label));
  const head = named.bytes.slice(0, named.bytes.length - 4096);
  head.set(requested[0]!.bytes.subarray(0, 7));
  const preempt = joinBytes([
    head,
    requested[0]!.bytes.subarray(8),
    ...requested.slice(1).map(({ bytes }) => bytes),
    encodeEos(),
  ]);
  return {
    name: 'scripted preempt',
    main: cutMain(bytesOf(rest)),
    preempt: cutPreempt(preempt),
    hostPages: 0,
  };
}

/** The honest source with zero pages in postcopy: short, so that much can be tried. */
function zeros(): Piece[] {
  let pieces = honestSource();
  for (let page = 5; page < 16; page += 1) pieces = replace(pieces, `page pc.ram ${page}`, zeroRecord(page));
  for (let page = 4; page < 8; page += 1) pieces = without(pieces, `precopy pc.ram ${page}`);
  return replace(after(pieces, 'ping 4', ping(9)), `ping ${NEGOTIATION_COOKIE}`, ping(1));
}

/** LISTEN out of ADVISE, without anything sent or discarded before (rule D47). */
function listeningAtOnce(): Piece[] {
  const labels = honestSource().map(({ label }) => label);
  const early = labels.filter((label) => /^(precopy|discard) /.test(label));
  let pieces = without(honestSource(), ...early);
  for (let page = 3; page >= 0; page -= 1)
    pieces = before(pieces, 'page pc.ram 4', pageRecord('pc.ram', page));
  for (let page = 0; page < 3; page += 1)
    pieces = before(pieces, 'page vga.vram 3', pageRecord('vga.vram', page));
  return pieces;
}

function main(name: string, bytes: Uint8Array, hostPages = 0): BaseStream {
  return { name, main: cutMain(bytes), preempt: [], hostPages };
}

let small: readonly BaseStream[] | undefined;

/** Migrations of guests of some dozen pages. */
export function smallStreams(): readonly BaseStream[] {
  small ??= [
    main('scripted', bytesOf(honestSource())),
    main('scripted zeros', bytesOf(zeros())),
    preempting(),
    main('scripted without discards', bytesOf(listeningAtOnce())),
    main('own postcopy', recordTiny('postcopy').bytes),
    main('own precopy', recordTiny('precopy').bytes),
  ];
  return small;
}

let captured: readonly BaseStream[] | undefined;

/** Migrations of 16 MiB between real QEMUs. */
export function capturedStreams(): readonly BaseStream[] {
  captured ??= [
    main('b2', readCapture('b2-postcopy-4k-none-zero.c0.fwd'), 1),
    main('d1', readCapture('d1-postcopy-4k-bios.c0.fwd'), 1),
    {
      ...main('f1', readCapture('f1-preempt-4k-bios.c0.fwd'), 1),
      preempt: cutPreempt(readCapture('f1-preempt-4k-bios.c1.fwd')),
    },
    {
      ...main('f2', readCapture('f2-preempt-2m-bios.c0.fwd'), 2),
      preempt: cutPreempt(readCapture('f2-preempt-2m-bios.c1.fwd')),
    },
  ];
  return captured;
}

/** The stretches of captured streams that are not thousands of pages in a row. */
export function capturedHeads(): readonly BaseStream[] {
  return capturedStreams().map((base) => ({
    ...base,
    main: base.main.filter(
      ({ name }, index) => !/^(PAGE|ZERO)$/.test(name) || base.main[index - 3]?.name !== name,
    ),
    preempt: base.preempt.slice(0, 12),
  }));
}

const reply = encodeReturnPath;

/** One of each message, and captured return paths. */
export function returnPaths(): readonly (readonly CutRecord[])[] {
  const each = joinBytes([
    reply('HOST_PAGE', { block: '', hostPage: 16_384, placementPage: 16_384 }),
    reply('HOST_PAGE', { block: 'vga.vram', hostPage: 4096, placementPage: 4096 }),
    reply('PONG', { value: NEGOTIATION_COOKIE }),
    reply('REQ_PAGES_ID', { block: 'pc.ram', start: 0x4000, length: 0x4000 }),
    reply('REQ_PAGES', { start: 0x8000, length: 0x4000 }),
    reply('RECV_BITMAP', { block: 'pc.ram' }),
    encodeReceivedBitmap(new Uint8Array(64).fill(0x5a)),
    reply('RESUME_ACK', { value: 1 }),
    reply('SWITCHOVER_ACK', {}),
    reply('SHUT', { value: 0 }),
    reply('REASON', { text: 'Größe' }),
  ]);
  const names = ['d1-postcopy-4k-bios.c0.ret', 'd2-postcopy-2m-bios.c0.ret', 'f1-preempt-4k-bios.c0.ret'];
  return [cutReturnPath(each), ...names.map((name) => cutReturnPath(readCapture(name)))];
}
