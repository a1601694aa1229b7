// Prints the tables of docs/protocol.md from the declarations of the messages.
import { COMMANDS } from '../../src/protocol/commands.ts';
import type { Field } from '../../src/protocol/fields.ts';
import type { MessageTable } from '../../src/protocol/message.ts';
import {
  RAM_FLAG,
  RAM_LIST_ENTRY,
  RAM_LIST_PAGE_SIZE,
  REFUSED_FLAGS,
  ZERO_BODY,
} from '../../src/protocol/ram-records.ts';
import { RETURN_PATH_MESSAGES } from '../../src/protocol/return-path-messages.ts';
import { CONFIGURATION_SUBSECTIONS, HEADER, SECTIONS } from '../../src/protocol/sections.ts';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return `${lines.join('\n')}\n`;
}

const code = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;

function fieldsOf(type: MessageTable[string]): string {
  const fields = Object.entries(type.fields as Record<string, Field<unknown>>);
  return fields.map(([name, { kind }]) => `${name}: ${kind}`).join('; ') || '–';
}

function lengthOf(type: MessageTable[string]): string {
  if (type.fixedBytes === undefined) return 'varies';
  return type.mayBeEmpty === true ? `0 or ${type.fixedBytes}` : String(type.fixedBytes);
}

function docOf(type: MessageTable[string]): string {
  const mark = type.extension === true ? ' *Extension.*' : '';
  return type.since === undefined ? type.doc + mark : `${type.doc} *Profile ${type.since}.*`;
}

function messageTable(messages: MessageTable, codeDigits: number): string {
  const rows = Object.values(messages).map((type) => [
    code(type.code, codeDigits),
    type.name,
    lengthOf(type),
    fieldsOf(type),
    docOf(type),
  ]);
  return table(['code', 'name', 'bytes', 'fields', 'meaning'], rows);
}

function pageFlagTable(): string {
  const rows = Object.entries(RAM_FLAG).map(([name, flag]) => {
    const refused = REFUSED_FLAGS.get(flag);
    return [code(flag, 3), name, refused === undefined ? 'yes' : `no, ${refused.why} (${refused.rule})`];
  });
  return table(['flag', 'name', 'accepted'], rows);
}

function subsectionTable(): string {
  const rows = Object.entries(CONFIGURATION_SUBSECTIONS).map(([wireName, type]) => [
    `\`${wireName}\``,
    type.name,
    fieldsOf(type),
    type.doc,
  ]);
  return table(['name on the wire', 'name', 'fields', 'meaning'], rows);
}

function ramRecordTable(): string {
  const rows = [RAM_LIST_ENTRY, RAM_LIST_PAGE_SIZE, ZERO_BODY].map((type) => [
    type.name,
    fieldsOf(type),
    type.doc,
  ]);
  return table(
    ['behind the page word', 'fields', 'meaning'],
    [...rows, ['PAGE', '4096 bytes', 'A target page.']],
  );
}

/** The tables by the name that their place in the document tells. */
export const MESSAGE_TABLES: ReadonlyMap<string, string> = new Map([
  ['frame', messageTable({ HEADER, ...SECTIONS }, 2)],
  ['subsections', subsectionTable()],
  ['commands', messageTable(COMMANDS, 2)],
  ['page flags', pageFlagTable()],
  ['ram records', ramRecordTable()],
  ['return path', messageTable(RETURN_PATH_MESSAGES, 2)],
]);

const PLACE = /^<!-- table: (.+) -->\n[\s\S]*?^<!-- end -->$/gm;

/** The names of the tables that a document has a place for. */
export function placesIn(markdown: string): string[] {
  return [...markdown.matchAll(PLACE)].map((match) => match[1]!);
}

/** The document with every table as the declarations say. */
export function withTables(markdown: string): string {
  return markdown.replaceAll(PLACE, (place, name: string) => {
    const printed = MESSAGE_TABLES.get(name);
    return printed === undefined ? place : `<!-- table: ${name} -->\n${printed}<!-- end -->`;
  });
}
