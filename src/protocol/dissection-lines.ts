// How a dissection writes a record or an error: one line each, offset and length first.
import { hex } from './bytes.ts';
import { COMMANDS } from './commands.ts';
import type { DissectedEntry, DissectedRecord, DissectionSink } from './dissection-entry.ts';
import type { MessageTable } from './message.ts';
import { RAM_LIST_ENTRY, RAM_LIST_PAGE_SIZE, ZERO_BODY } from './ram-records.ts';
import { RETURN_PATH_MESSAGES } from './return-path-messages.ts';
import { CONFIGURATION_SUBSECTIONS, HEADER, SECTIONS } from './sections.ts';

type Values = DissectedRecord['values'];
type Show = (values: Values) => string;

const showPage: Show = ({ block, offset }) =>
  `block=${JSON.stringify(block)} offset=${hex(offset as number)}`;

/** Records whose fields are not those of one declared message. */
const COMPOSED: Readonly<Record<string, Show>> = {
  PAGE: showPage,
  ZERO: (values) => `${showPage(values)} ${ZERO_BODY.show(values as { fill: number })}`,
  MEM_SIZE: ({ total }) => `total=${hex(total as number)}`,
  DEVICE_STATE: ({ idstr, instanceId, versionId }) =>
    `idstr=${JSON.stringify(idstr)} instanceId=${instanceId} versionId=${versionId}`,
  RECEIVED_BITMAP: ({ block, pages, received }) =>
    `block=${JSON.stringify(block)} pages=${pages} received=${received}`,
};

const FORWARD = indexShows(
  { HEADER, RAM_LIST_ENTRY, RAM_LIST_PAGE_SIZE },
  SECTIONS,
  CONFIGURATION_SUBSECTIONS,
  COMMANDS,
);
const RETURN = indexShows(RETURN_PATH_MESSAGES);

function indexShows(...tables: readonly MessageTable[]): ReadonlyMap<string, Show> {
  const declared = tables.flatMap((table) =>
    Object.values(table).map((type): [string, Show] => [type.name, (values) => type.show(values)]),
  );
  return new Map([...declared, ...Object.entries(COMPOSED)]);
}

/** A record's fields as `name=value`; empty where it has none. */
export function showFields({ stream, name, values }: DissectedRecord): string {
  const show = (stream === 'return path' ? RETURN : FORWARD).get(name);
  // An ADVISE without a payload has none of its declared fields.
  const isEmpty = Object.keys(values).length === 0;
  return show === undefined || isEmpty ? '' : show(values);
}

/** The line of a record (place, length, name, fields as `name=value`) or of an error. */
export function dissectionLine(entry: DissectedEntry): string {
  if (entry.kind === 'error') {
    const { name, code, message, offset = 0, rule } = entry.error;
    return `error off=${hex(offset, 4)} ${name} ${code}${rule === undefined ? '' : ` [${rule}]`} ${message}`;
  }
  const fields = showFields(entry);
  const head = `off=${hex(entry.offset, 4)} len=${entry.lengthBytes} ${entry.name}`;
  return fields === '' ? head : `${head} ${fields}`;
}

/** Writes every entry as a line. What is in a package stands two spaces to the right, with offsets of its own. */
export function toLines(write: (line: string) => void): DissectionSink {
  return {
    entry: (entry) => write(`${entry.streamOffset > 0 ? '  ' : ''}${dissectionLine(entry)}`),
    pageEnd: () => undefined,
  };
}
