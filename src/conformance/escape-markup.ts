// Makes any text safe to stand in XML and HTML, between tags and in attributes.
import { printable } from '../protocol/printable.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Text of a peer or of a rule for XML and HTML. What XML cannot hold at all, and what could turn text about on a
 * screen (control and format characters, lone surrogates), becomes `?`.
 */
export function escapeMarkup(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line).replace(/[\p{Cs}\uFFFE\uFFFF]/gu, '?'))
    .join('\n')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
