// Sources that break a rule each: what they send, and what they take from the return path.

import { encodeCommand } from '../../src/protocol/commands.ts';
import type { ByteRange } from '../../src/protocol/fields.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { NEGOTIATION_COOKIE } from '../../src/protocol/negotiation-messages.ts';
import {
  encodeRecordHead,
  encodeZeroRecord,
  RAM_FLAG,
  TARGET_PAGE_BYTES,
  writePageWord,
} from '../../src/protocol/ram-records.ts';
import { encodeSection } from '../../src/protocol/sections.ts';
import { cutPackage } from '../fuzz/cut-records.ts';
import type { PlantedSource } from './planted-fault.ts';
import type { RecordEdit, SentRecord } from './record-editor.ts';
import type { SourceFault } from './source-in-process.ts';

const MULTIFD_FLUSH = 0x200;
const isPage = ({ name }: SentRecord): boolean => name === 'PAGE' || name === 'ZERO';
const blockOf = ({ values }: SentRecord): string => values['block'] as string;
const offsetOf = ({ values }: SentRecord): number => values['offset'] as number;

/** A page word by itself. */
function word(offset: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writePageWord(bytes, 0, offset, flags);
  return bytes;
}

/** The same record with the name of its block, whatever stood before it. */
function named(record: SentRecord): Uint8Array {
  const offset = offsetOf(record);
  if (record.name === 'ZERO') return encodeZeroRecord(offset, blockOf(record));
  const body = record.bytes.subarray(record.bytes.length - TARGET_PAGE_BYTES);
  return joinBytes([encodeRecordHead(offset, RAM_FLAG.PAGE, blockOf(record)), body]);
}

/** Edits the nth record (from 1) for which `matches` holds. */
function nth(
  count: number,
  matches: (record: SentRecord) => boolean,
  change: (record: SentRecord) => readonly Uint8Array[],
): SourceFault {
  return {
    edit: () => {
      let seen = 0;
      return (record) => {
        if (!matches(record)) return undefined;
        seen += 1;
        return seen === count ? change(record) : undefined;
      };
    },
  };
}

/** Edits the first record of a name. */
function first(name: string, change: (record: SentRecord) => readonly Uint8Array[]): SourceFault {
  return nth(1, (record) => record.name === name, change);
}

/** Edits all records of a name. */
function each(name: string, change: (record: SentRecord) => readonly Uint8Array[]): SourceFault {
  return { edit: () => (record) => (record.name === name ? change(record) : undefined) };
}

/** Edits a page of postcopy that is not the first one there. */
function postcopyPage(
  name: 'PAGE' | 'ZERO',
  change: (record: SentRecord) => readonly Uint8Array[],
): SourceFault {
  return nth(3, (record) => record.isPostcopy && record.name === name && blockOf(record) === 'ram0', change);
}

/** Edits the ranges of each discard of a block. */
function discards(
  change: (ranges: readonly ByteRange[]) => readonly ByteRange[],
  block = 'ram1',
): SourceFault {
  return each('POSTCOPY_RAM_DISCARD', (record) => {
    if (blockOf(record) !== block) return [record.bytes];
    return [discard(block, change(record.values['ranges'] as readonly ByteRange[]))];
  });
}

function discard(block: string, ranges: readonly ByteRange[]): Uint8Array {
  return encodeCommand('POSTCOPY_RAM_DISCARD', { version: 0, block, terminator: 0, ranges });
}

/** Takes the records of the package apart, and puts others together. */
function inPackage(change: (records: { name: string; bytes: Uint8Array }[]) => Uint8Array[]): SourceFault {
  return {
    edit: () => (record) => {
      if (record.name === 'PACKAGED') return [];
      if (record.name !== 'PACKAGE') return undefined;
      const packed = joinBytes(change(cutPackage(record.bytes)));
      return [encodeCommand('PACKAGED', { length: packed.length }), packed];
    },
  };
}

/** Of a large host page sends two target pages, then all of the next host page, and then the rest. */
function splitHostPage(): RecordEdit {
  const held: Uint8Array[] = [];
  let count = 0;
  return (record) => {
    if (!record.isPostcopy) return undefined;
    if (!isPage(record) || blockOf(record) !== 'ram1') {
      return isPage(record) || count >= 8 ? undefined : [...held.splice(0), record.bytes];
    }
    count += 1;
    if (count === 3 || count === 4) {
      held.push(named(record));
      return [];
    }
    return count === 8 ? [named(record), ...held.splice(0)] : [named(record)];
  };
}

/** Behind so many pages of postcopy sends no more. */
function endsAfter(pages: number): RecordEdit {
  let count = 0;
  return (record) => {
    if (!record.isPostcopy || !isPage(record)) return undefined;
    count += 1;
    return count <= pages ? undefined : [];
  };
}

/** Puts the discards in front of the last part of precopy. */
function discardsEarly(): RecordEdit {
  const part: Uint8Array[] = [];
  let isHolding = false;
  return (record) => {
    if (record.isPostcopy) return undefined;
    if (record.name === 'SECTION_PART') isHolding = true;
    if (record.name === 'PING' && isHolding) {
      isHolding = false;
      return [...part.splice(0), record.bytes];
    }
    if (record.name === 'POSTCOPY_RAM_DISCARD' || !isHolding) return undefined;
    part.push(record.bytes);
    return [];
  };
}

/** The discards of a block in one command. */
function manyRanges(): RecordEdit {
  const ranges: ByteRange[] = [];
  return (record) => {
    if (record.name === 'POSTCOPY_RAM_DISCARD' && blockOf(record) === 'ram0') {
      ranges.push(...(record.values['ranges'] as readonly ByteRange[]));
      return [];
    }
    if (ranges.length === 0 || record.isPostcopy) return undefined;
    return [discard('ram0', ranges.splice(0)), record.bytes];
  };
}

/** ADVISE behind the START section of ram. */
function advisesLate(): RecordEdit {
  let held: Uint8Array | undefined;
  let hasList = false;
  return (record) => {
    if (record.name === 'POSTCOPY_ADVISE') {
      held = record.bytes;
      return [];
    }
    if (record.name === 'MEM_SIZE') hasList = true;
    if (record.name !== 'SECTION_FOOTER' || held === undefined || !hasList) return undefined;
    const advise = held;
    held = undefined;
    return [record.bytes, advise];
  };
}

/** Sends once more what is asked for and was sent. */
function answersCleanRequests(): SourceFault {
  const pages = new Map<string, Uint8Array>();
  return {
    edit: () => (record) => {
      if (isPage(record)) pages.set(`${blockOf(record)} ${offsetOf(record)}`, named(record));
      return undefined;
    },
    hears: () => {
      let block = '';
      const asked = new Set<string>();
      return (record, hands) => {
        if (record.name === 'REQ_PAGES_ID') block = record.block;
        if (record.name !== 'REQ_PAGES_ID' && record.name !== 'REQ_PAGES') return [record];
        const key = `${block} ${record.start}`;
        const known = pages.get(key);
        if (known !== undefined && asked.has(key)) hands.send(known);
        asked.add(key);
        return [record];
      };
    },
  };
}

/** Serves requests only when nothing else is left. */
const DEAF: SourceFault = {
  hears: () => (record) => (record.name === 'REQ_PAGES' || record.name === 'REQ_PAGES_ID' ? [] : [record]),
};

const withId = (record: SentRecord, sectionId: number): Uint8Array[] => [
  encodeSection('SECTION_FOOTER', { sectionId }),
  ...(record.name === 'SECTION_FOOTER' ? [] : [record.bytes]),
];

/** All of them. */
export const SOURCE_FAULTS: readonly PlantedSource[] = [
  {
    what: 'leaves the first PING out',
    fault: { ...first('PING', () => []), options: { negotiate: false } },
    caughtBy: ['S1'],
  },
  { what: 'advises before it opens the return path', fault: { edit: advisesFirst }, caughtBy: ['S1'] },
  {
    what: 'has the id of another section in a footer',
    fault: nth(
      2,
      ({ name }) => name === 'SECTION_FOOTER',
      (record) => withId(record, 3),
    ),
    caughtBy: ['S2'],
  },
  {
    what: 'goes on with a section that it never announced',
    fault: first('SECTION_PART', () => [encodeSection('SECTION_PART', { sectionId: 9 })]),
    caughtBy: ['S17'],
  },
  {
    what: 'sums up other page sizes in ADVISE',
    fault: first('POSTCOPY_ADVISE', () => [
      encodeCommand('POSTCOPY_ADVISE', { pageSizeSummary: 4096 + 2 ** 21, targetPageSize: 4096 }),
    ]),
    caughtBy: ['S3'],
  },
  { what: 'advises behind the RAM list', fault: { edit: advisesLate }, caughtBy: ['S4'] },
  {
    what: 'tells a RAM list with a total of a page more',
    fault: first('MEM_SIZE', ({ values }) => [word((values['total'] as number) + 4096, RAM_FLAG.MEM_SIZE)]),
    caughtBy: ['S5'],
  },
  {
    what: 'leaves the page size of a block out of the RAM list',
    fault: each('RAM_LIST_PAGE_SIZE', () => []),
    caughtBy: ['S6'],
  },
  {
    what: 'does not name the block of the first page behind the discards',
    fault: nth(
      1,
      (record) => record.isPostcopy && isPage(record),
      (record) => {
        const { bytes } = record;
        const flag = record.name === 'ZERO' ? RAM_FLAG.ZERO : RAM_FLAG.PAGE;
        const bodyBytes = record.name === 'ZERO' ? 1 : TARGET_PAGE_BYTES;
        return [
          encodeRecordHead(offsetOf(record), flag, undefined),
          bytes.subarray(bytes.length - bodyBytes),
        ];
      },
    ),
    caughtBy: ['S7'],
  },
  {
    what: 'leaves EOS of a part out',
    fault: nth(
      2,
      ({ name }) => name === 'EOS',
      () => [],
    ),
    caughtBy: ['S8'],
  },
  {
    what: 'fills a ZERO record with 1',
    fault: first('ZERO', (record) => [encodeZeroRecord(offsetOf(record), blockOf(record), 1)]),
    caughtBy: ['S9'],
  },
  {
    what: 'sends a page of postcopy by XBZRLE',
    fault: postcopyPage('PAGE', (record) => [
      encodeRecordHead(offsetOf(record), RAM_FLAG.XBZRLE, blockOf(record)),
      Uint8Array.of(1, 0, 2, 0, 0),
    ]),
    caughtBy: ['S10'],
  },
  {
    what: 'flushes multifd channels',
    fault: postcopyPage('PAGE', (record) => [word(0, MULTIFD_FLUSH), record.bytes]),
    caughtBy: ['S46'],
  },
  {
    what: 'discards from the middle of a host page',
    fault: discards((ranges) =>
      ranges.map(({ start, length }) => ({ start: start + 4096, length: length - 4096 })),
    ),
    caughtBy: ['S11', 'S12'],
  },
  {
    what: 'discards up to the middle of a host page',
    fault: discards((ranges) => ranges.map(({ start, length }) => ({ start, length: length - 4096 }))),
    caughtBy: ['S11', 'S12'],
  },
  {
    what: 'discards beyond the block',
    fault: discards((ranges) => ranges.map(({ start, length }) => ({ start, length: length + 2 ** 20 }))),
    caughtBy: ['S12'],
  },
  { what: 'discards nothing', fault: each('POSTCOPY_RAM_DISCARD', () => []), caughtBy: ['S19'] },
  {
    what: 'leaves a dirty page out of the discards',
    fault: discards((ranges) => ranges.slice(1), 'ram0'),
    caughtBy: ['S19'],
  },
  { what: 'sends a discard without a range', fault: discards(() => []), caughtBy: ['S13'] },
  { what: 'puts all ranges in one discard', fault: { edit: manyRanges }, caughtBy: ['S13'] },
  { what: 'discards before the last page of precopy', fault: { edit: discardsEarly }, caughtBy: ['S14'] },
  {
    what: 'leaves LISTEN out of the package',
    fault: inPackage((records) =>
      records.filter(({ name }) => name !== 'POSTCOPY_LISTEN').map(({ bytes }) => bytes),
    ),
    caughtBy: ['S15'],
  },
  {
    what: 'leaves RUN out of the package',
    fault: inPackage((records) =>
      records.filter(({ name }) => name !== 'POSTCOPY_RUN').map(({ bytes }) => bytes),
    ),
    caughtBy: ['S15'],
  },
  {
    what: 'discards in the package',
    fault: inPackage(([listen, ...records]) => [
      listen!.bytes,
      discard('ram0', [{ start: 0, length: 4096 }]),
      ...records.map(({ bytes }) => bytes),
    ]),
    caughtBy: ['S15'],
  },
  {
    what: 'opens the return path again behind the package',
    fault: nth(
      1,
      ({ isPostcopy, name }) => isPostcopy && name === 'PING',
      (record) => [record.bytes, encodeCommand('OPEN_RETURN_PATH', {})],
    ),
    caughtBy: ['S17'],
  },
  { what: 'splits a host page', fault: { edit: splitHostPage }, caughtBy: ['S18'] },
  {
    what: 'sends a page twice in postcopy',
    fault: postcopyPage('PAGE', (record) => [record.bytes, record.bytes]),
    caughtBy: ['S18'],
  },
  {
    what: 'sends one target page of a host page twice, and another not at all',
    fault: nth(
      2,
      (record) => record.isPostcopy && isPage(record) && blockOf(record) === 'ram1',
      (record) => [encodeZeroRecord(offsetOf(record) - 4096, blockOf(record))],
    ),
    caughtBy: ['S18'],
  },
  { what: 'never sends a page', fault: postcopyPage('PAGE', () => []), caughtBy: ['S33'] },
  { what: 'ends with most pages still dirty', fault: { edit: () => endsAfter(20) }, caughtBy: ['S33'] },
  {
    what: 'sends a byte of a page wrong',
    fault: postcopyPage('PAGE', ({ bytes }) => [bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1)]),
    caughtBy: ['S12'],
  },
  { what: 'serves no request before its turn in the background', fault: DEAF, caughtBy: ['S20'] },
  { what: 'answers requests for pages that it has sent', fault: answersCleanRequests(), caughtBy: ['S21'] },
  { what: 'overlooks an unaligned request', fault: { overlooks: /^S22 / }, caughtBy: ['S22'] },
  { what: 'overlooks REQ_PAGES before any REQ_PAGES_ID', fault: { overlooks: /^S23 / }, caughtBy: ['S23'] },
  { what: 'overlooks a request for an unknown block', fault: { overlooks: /^S24 / }, caughtBy: ['S24'] },
  { what: 'overlooks a request beyond its block', fault: { overlooks: /^S25 / }, caughtBy: ['S25'] },
  { what: 'overlooks a wrong length of REQ_PAGES_ID', fault: { overlooks: /^S26 / }, caughtBy: ['S26'] },
  { what: 'overlooks an unknown message', fault: { overlooks: /^S27 / }, caughtBy: ['S27'] },
  { what: 'overlooks a wrong length of a message', fault: { overlooks: /^S28 / }, caughtBy: ['S28'] },
  {
    what: 'takes SHUT 1 for success',
    fault: {
      hears: () => (record) => [record.name === 'SHUT' ? { name: 'SHUT', value: 0 } : record],
    },
    caughtBy: ['S29'],
  },
  {
    what: 'lets the guest go on after an error in postcopy',
    fault: {
      status: (status) => (status === 'postcopy-paused' ? 'failed' : status),
      guestRuns: () => true,
    },
    caughtBy: ['S30', 'S35'],
  },
  {
    what: 'describes its devices behind the EOF of postcopy',
    fault: nth(
      1,
      ({ isPostcopy, name }) => isPostcopy && name === 'EOF',
      ({ bytes }) => [bytes, encodeSection('VMDESCRIPTION', { json: '{}' })],
    ),
    caughtBy: ['S32'],
  },
  { what: 'leaves without waiting for SHUT', fault: { doesNotAwait: 'SHUT' }, caughtBy: ['S34'] },
  {
    what: 'overlooks a received bitmap that nobody asked for',
    // The bitmap that follows the message is taken for messages, too.
    fault: { overlooks: /^S(27|28|37|39) / },
    caughtBy: ['S39'],
  },
  {
    what: 'tells of the switchover to a peer that is too old',
    fault: nth(
      1,
      ({ name }) => name === 'POSTCOPY_RAM_DISCARD',
      ({ bytes }) => [encodeCommand('SWITCHOVER_START', {}), bytes],
    ),
    caughtBy: ['S43'],
  },
  {
    what: 'says a reason to a peer without the extension',
    fault: {
      hears: () => {
        let isKnown = false;
        return (record, hands) => {
          isKnown ||= record.name === 'HOST_PAGE';
          if (record.name === 'PONG' && record.value === NEGOTIATION_COOKIE && !isKnown)
            hands.send(encodeCommand('REASON', { text: 'hello' }));
          return [record];
        };
      },
    },
    caughtBy: ['N12'],
  },
  {
    what: 'takes any placement page',
    fault: {
      hears: () => (record) => [
        record.name === 'HOST_PAGE' ? { ...record, placementPage: record.hostPage } : record,
      ],
    },
    caughtBy: ['N7'],
  },
  {
    what: 'sends its own host pages to a destination that wants larger ones',
    fault: { hears: () => (record) => (record.name === 'HOST_PAGE' ? [] : [record]) },
    caughtBy: ['N10'],
  },
];

/** ADVISE in front of OPEN_RETURN_PATH and the PING. */
function advisesFirst(): RecordEdit {
  return (record) => {
    if (record.name === 'OPEN_RETURN_PATH') {
      const advise = { pageSizeSummary: 4096 + 16_384, targetPageSize: 4096 };
      return [encodeCommand('POSTCOPY_ADVISE', advise), record.bytes];
    }
    return record.name === 'POSTCOPY_ADVISE' ? [] : undefined;
  };
}
