// Lists the records of a stream in short words, in order, for tests of what is sent when.

import { deviceStateBytes } from '../../src/destination/known-devices.ts';
import { hex } from '../../src/protocol/bytes.ts';
import { StreamDecoder, type StreamRecord } from '../../src/protocol/stream-decoder.ts';

/** One record: its words, and where it stands. */
export interface ListedRecord {
  readonly words: string;
  readonly offset: number;
  /** Where the body of a PAGE record begins in the stream. */
  bodyOffset?: number;
}

function wordsOf(record: StreamRecord): string {
  switch (record.name) {
    case 'PING':
      return `PING ${hex(record.value)}`;
    case 'POSTCOPY_ADVISE':
      return `POSTCOPY_ADVISE ${hex(record.pageSizeSummary)} ${hex(record.targetPageSize)}`;
    case 'POSTCOPY_RAM_DISCARD':
      return `DISCARD ${record.block} ${record.ranges.map(({ start, length }) => `${hex(start)}+${hex(length)}`).join(' ')}`;
    case 'SECTION_START':
    case 'SECTION_FULL':
      return `${record.name} ${record.idstr} ${record.instanceId}`;
    case 'DEVICE_STATE':
      return `DEVICE_STATE ${record.idstr}`;
    case 'REASON':
      return `REASON ${record.text}`;
    default:
      return record.name;
  }
}

/** All records of a stream that has none of the devices that a test makes up. */
export function listRecords(
  bytes: Uint8Array,
  begins: 'header' | 'sections' = 'header',
  extension = false,
): ListedRecord[] {
  const list: ListedRecord[] = [];
  let blockOf = '';
  const decoder = new StreamDecoder(
    {
      record(record, offset) {
        if (record.name === 'PACKAGE') {
          list.push({ words: 'PACKAGE', offset });
          for (const inner of listRecords(record.blob, 'sections', extension))
            list.push({ words: `  ${inner.words}`, offset: offset + inner.offset });
          return;
        }
        list.push({ words: wordsOf(record), offset });
      },
      selectBlock(name) {
        blockOf = name;
        list.push({ words: `block ${name}`, offset: decoder.position });
      },
      page: (offset) => list.push({ words: `page ${blockOf} ${hex(offset)}`, offset: decoder.position }),
      pageBytes(input, start) {
        if (input === bytes) list.at(-1)!.bodyOffset ??= start;
      },
      zeroPage: (offset) => list.push({ words: `zero ${blockOf} ${hex(offset)}`, offset: decoder.position }),
      ramList: (blocks) =>
        list.push({
          words: `RAM list ${blocks.map(({ block, length, pageSize }) => `${block}=${hex(length)}${pageSize === undefined ? '' : `@${hex(pageSize)}`}`).join(' ')}`,
          offset: decoder.position,
        }),
      endOfPayload: () => list.push({ words: 'EOS', offset: decoder.position }),
      pageSizeField: () => ({ field: 'guess', summary: 2 ** 40 - 1 }),
      deviceStateBytes,
    },
    { profile: 'strict', begins, stream: 'main' },
  );
  decoder.extension = extension;
  decoder.push(bytes);
  return list;
}

/** The words alone, runs of pages of one kind shortened to the first, the last and how many. */
export function outline(bytes: Uint8Array, extension = false): string[] {
  return listRecords(bytes, 'header', extension).map(({ words }) => words);
}
