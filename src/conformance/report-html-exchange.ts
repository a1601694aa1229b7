// The table of what passed in one run, for the page: records of both directions with their first bytes.
import type { Profile } from '../protocol/profile.ts';
import { escapeMarkup as text } from './escape-markup.ts';
import type { Exchange } from './exchange.ts';
import { type ExchangeRow, exchangeRows } from './exchange-rows.ts';

/** A run of one rule needs no more; one that does is shown by its beginning and its end. */
const ROWS_SHOWN = 120;

const HEAD =
  '<thead><tr><th>ms</th><th>channel</th><th>offset</th><th>length</th><th>record</th><th>bytes</th></tr></thead>';

/** A table, to be folded away. */
export function exchangeTable(exchange: Exchange, profile: Profile): string {
  const rows = exchangeRows(exchange, profile, ROWS_SHOWN).map(tableRow);
  return `<div class="scroll"><table>${HEAD}<tbody>${rows.join('')}</tbody></table></div>`;
}

function tableRow(row: ExchangeRow): string {
  if (row.kind === 'folded') return `<tr class="folded"><td colspan="6">… ${text(row.text)} …</td></tr>`;
  const time = `<td>${(row.tSeconds * 1000).toFixed(1)}</td>`;
  if (row.kind === 'ending') {
    return `<tr class="ending">${time}<td>c${row.conn}</td><td colspan="4">closed by the ${row.by}</td></tr>`;
  }
  const { conn, dir, isInPackage, offset, lengthBytes, name, fields, bytes } = row;
  const where = dir === 'fwd' ? 'to the destination' : 'to the source';
  const channel = `<td title="${where}">c${conn} ${dir === 'fwd' ? '→' : '←'}</td>`;
  const place = `<td>${offset}</td><td>${row.kind === 'error' ? '' : lengthBytes}</td>`;
  const record = `<td${isInPackage ? ' class="inner"' : ''}><b>${text(name)}</b> ${text(fields)}</td>`;
  const classes = row.kind === 'error' ? 'error' : dir;
  return `<tr class="${classes}">${time}${channel}${place}${record}<td>${bytes}</td></tr>`;
}
