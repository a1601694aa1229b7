// Receives small migrations in memory, so that the compiler has done its work before a vCPU waits for a page.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type RamBlockSpec, RamImage } from '../machine/ram-block.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import { encodeCommand } from '../protocol/commands.ts';
import { joinBytes } from '../protocol/message.ts';
import {
  encodeEos,
  encodeRamList,
  encodeRecordHead,
  RAM_FLAG,
  RAM_IDSTR,
  RAM_SECTION_VERSION,
  TARGET_PAGE_BYTES,
} from '../protocol/ram-records.ts';
import { encodeHeader, encodeSection } from '../protocol/sections.ts';
import { FaultBoard } from './fault-board.ts';
import { HostPages } from './host-pages.ts';
import { IncomingMigration } from './incoming.ts';
import { PostcopyStateCell } from './incoming-states.ts';
import { PagePlacer } from './page-placer.ts';
import { PreemptIntake } from './preempt-intake.ts';
import { RamTally } from './ram-tally.ts';

const BLOCK = 'rehearsal';
const PAGE_COUNT = 1024;
const PAGES_PER_TURN = 16;
/** About as long as V8 takes to notice and to optimise all that runs once per page. */
const REHEARSAL_MS = 150;
/** No multiple of a record, so that each piece cuts a record elsewhere. */
const PIECE_BYTES = 60_001;

/**
 * Receives until `isOver`, or long enough. It is called while nobody has connected, so it costs no migration anything;
 * each turn is short, and a source that connects is seen at once. `isWatched` as the real one will be: code that was
 * compiled without page origins is thrown away at the first page that has one.
 */
export async function rehearseIncoming(isOver: () => boolean, isWatched: boolean): Promise<void> {
  const stream = rehearsalStream();
  // As a socket does, always into the same bytes, so that pages lie there at any address.
  const buffer = new Uint8Array(PIECE_BYTES);
  const deadlineMs = performance.now() + REHEARSAL_MS;
  while (performance.now() < deadlineMs) {
    const migration = rehearsalMigration(isWatched);
    for (let at = 0; at < stream.length; at += PIECE_BYTES) {
      if (isOver()) return;
      const piece = stream.subarray(at, at + PIECE_BYTES);
      buffer.set(piece);
      migration.push(buffer, 0, piece.length);
      await nextTurn();
    }
  }
}

/** Takes requested pages, one at a time, until `isOver` or long enough: for the thread of a preempt channel. */
export async function rehearsePreempt(isOver: () => boolean, isWatched: boolean): Promise<void> {
  const body = new Uint8Array(TARGET_PAGE_BYTES).fill(1);
  const spec = { name: BLOCK, lengthBytes: PAGE_COUNT * TARGET_PAGE_BYTES, hostPageBytes: TARGET_PAGE_BYTES };
  const records = Array.from({ length: PAGE_COUNT }, (_, page) =>
    joinBytes([encodeRecordHead(page * TARGET_PAGE_BYTES, RAM_FLAG.PAGE, BLOCK), body]),
  );
  const deadlineMs = performance.now() + REHEARSAL_MS;
  while (performance.now() < deadlineMs) {
    const ram = rehearsalRam([{ ...spec, kind: 'system' }], isWatched);
    const tally = new RamTally(ram, { nowNs: monotonicNs, collapseNs: 0 });
    tally.isPostcopy = true;
    const intake = new PreemptIntake('strict');
    const board = FaultBoard.allocate(1);
    intake.begin(tally, new PagePlacer(tally, { profile: 'strict', board, nowNs: monotonicNs }));
    for (const [page, record] of records.entries()) {
      tally.blocks[0]!.ram.claim(page);
      intake.push(record, 0, record.length, monotonicNs());
      if (page % PAGES_PER_TURN > 0) continue;
      if (isOver()) return;
      await nextTurn();
    }
  }
}

function rehearsalRam(blocks: readonly RamBlockSpec[], isWatched: boolean): RamImage {
  const ram = RamImage.allocate(blocks, 'missing');
  return isWatched ? ram.withOrigins() : ram;
}

/** A core of its own, with nobody to tell anything. */
function rehearsalMigration(isWatched: boolean): IncomingMigration {
  const ignore = (): void => undefined;
  return new IncomingMigration(
    {
      profile: 'strict',
      hostPages: new HostPages({ defaultBytes: TARGET_PAGE_BYTES, byName: new Map(), layout: undefined }),
      acceptsUnknownDevices: false,
      negotiate: false,
      preempt: false,
      collapseNs: 0,
    },
    {
      reply: ignore,
      createRam: (blocks) => rehearsalRam(blocks, isWatched),
      load: ignore,
      warn: ignore,
      nowNs: monotonicNs,
    },
    { cell: new PostcopyStateCell(), board: FaultBoard.allocate(1) },
  );
}

/** A postcopy migration of pages that are not zero, up to the last of them. */
function rehearsalStream(): Uint8Array {
  const lengthBytes = PAGE_COUNT * TARGET_PAGE_BYTES;
  const sectionId = 2;
  const packaged = joinBytes([encodeCommand('POSTCOPY_LISTEN', {}), encodeCommand('POSTCOPY_RUN', {})]);
  const body = new Uint8Array(TARGET_PAGE_BYTES).fill(1);
  const pages = Array.from({ length: PAGE_COUNT }, (_, page) => [
    encodeRecordHead(page * TARGET_PAGE_BYTES, RAM_FLAG.PAGE, page === 0 ? BLOCK : undefined),
    body,
  ]);
  return joinBytes([
    encodeHeader(),
    encodeSection('CONFIGURATION', { machine: 'none' }),
    encodeCommand('OPEN_RETURN_PATH', {}),
    encodeCommand('POSTCOPY_ADVISE', {
      pageSizeSummary: TARGET_PAGE_BYTES,
      targetPageSize: TARGET_PAGE_BYTES,
    }),
    encodeSection('SECTION_START', {
      sectionId,
      idstr: RAM_IDSTR,
      instanceId: 0,
      versionId: RAM_SECTION_VERSION,
    }),
    encodeRamList([{ block: BLOCK, length: lengthBytes }]),
    encodeEos(),
    encodeSection('SECTION_FOOTER', { sectionId }),
    encodeCommand('POSTCOPY_RAM_DISCARD', {
      version: 0,
      block: BLOCK,
      terminator: 0,
      ranges: [{ start: 0, length: lengthBytes }],
    }),
    encodeCommand('PACKAGED', { length: packaged.length }),
    packaged,
    encodeSection('SECTION_PART', { sectionId }),
    ...pages.flat(),
  ]);
}
