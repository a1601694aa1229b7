// Prints the summary of a dissected migration.
import type { Anomaly, Sighting } from '../analysis/anomalies.ts';
import type { MigrationReport } from '../analysis/migration-summary.ts';
import { printable } from '../protocol/printable.ts';
import { formatBytes, formatNs } from './format-quantity.ts';
import { alignColumns } from './text-layout.ts';

const NAME_WIDTH = 40;
const INDENT = '  ';

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => INDENT + line)];
}

function stateRows({ states }: MigrationReport): string[][] {
  return states.map(({ state, tSeconds, offset }) => [
    state,
    tSeconds === undefined ? '-' : `${tSeconds.toFixed(6)} s`,
    offset === undefined ? '-' : `offset ${offset}`,
  ]);
}

function blockRows({ blocks }: MigrationReport): string[][] {
  const head = ['block', 'length', 'host page', 'precopy data', 'zero', 'postcopy data', 'zero'];
  const more = ['discarded', 'held', 'completed in postcopy', 'partial', 'missing'];
  const rows = blocks.map((figures) => [
    figures.block,
    formatBytes(figures.lengthBytes),
    formatBytes(figures.hostPageBytes),
    ...[figures.precopy.data, figures.precopy.zero, figures.postcopy.data, figures.postcopy.zero].map(String),
    String(figures.discarded),
    `${figures.hostPagesHeld}/${figures.hostPageCount}`,
    String(figures.hostPagesCompletedSinceListen),
    String(figures.hostPagesPartial),
    String(figures.missing),
  ]);
  return rows.length === 0 ? [] : [[...head, ...more], ...rows];
}

function requestLines({ requests }: MigrationReport): string[] {
  const { count, answered, alreadySent, repeated, unanswered, latencyNs } = requests;
  if (count === 0) return [];
  const figures = `${count}: ${answered} answered, ${alreadySent} for pages already sent, ${repeated} repeated, ${unanswered} never answered`;
  if (latencyNs === null) return [figures, 'latency unknown: no times'];
  const { minimum, median, p99, maximum, mean } = latencyNs;
  const latency = Object.entries({ minimum, median, mean, p99, maximum }).map(
    ([name, value]) => `${name} ${formatNs(value)}`,
  );
  return [figures, `to the last byte of the page: ${latency.join(', ')}`];
}

function placeText({ tSeconds, conn, dir, offset }: Sighting): string {
  if (conn === undefined) return '';
  const time = tSeconds === undefined ? '' : ` at ${tSeconds.toFixed(6)} s`;
  return ` (c${conn}.${dir} offset ${offset}${time})`;
}

function anomalyLines(anomalies: readonly Anomaly[]): string[] {
  return anomalies.flatMap(({ rule, expected, count, first }) => [
    `[${rule}] ${count} x against: ${expected}`,
    ...first.map((sighting) => `${INDENT}found ${sighting.found}${placeText(sighting)}`),
  ]);
}

function deviceRows({ devices }: MigrationReport): string[][] {
  return devices.map(({ idstr, instanceId, versionId, lengthBytes, describedBytes }) => [
    idstr,
    `instance ${instanceId}`,
    `version ${versionId}`,
    `${lengthBytes} bytes`,
    describedBytes === undefined ? 'end found by its footer' : `described as ${describedBytes}`,
  ]);
}

/** The lines of a summary. */
export function summaryLines(report: MigrationReport): string[] {
  const { kind, machine, eof, shut, durationSeconds, discards, pages } = report;
  const end = `${eof ? 'EOF' : 'no EOF'}, ${shut === null ? 'no SHUT' : `SHUT ${shut}`}`;
  const time = durationSeconds === null ? '' : `, ${durationSeconds.toFixed(6)} s`;
  const counts = (of: { data: number; zero: number }): string => `${of.data} data, ${of.zero} zero`;
  const named = (record: Readonly<Record<string, number>>): string[][] =>
    Object.entries(record).map(([name, value]) => [name, String(value)]);
  const table = (rows: readonly string[][]): string[] => alignColumns(rows, NAME_WIDTH);
  return [
    `${kind}, machine ${machine === null ? 'not told' : JSON.stringify(machine)}, ${end}${time}`,
    ...section('States', table(stateRows(report))),
    ...section('Pages', [
      `precopy ${counts(pages.precopy)}; postcopy ${counts(pages.postcopy)}`,
      ...Object.entries(report.pagesByConnection).map(([conn, of]) => `${conn}: ${counts(of)}`),
    ]),
    ...section(
      'Blocks, pages of 4 KiB; held, completed and partial are host pages',
      table(blockRows(report)),
    ),
    ...section(
      'Discards',
      discards.commands === 0
        ? []
        : [
            `${discards.commands} commands, ${discards.ranges} ranges, ${discards.pages} pages, of which ${discards.pagesAfterSent} had been sent`,
          ],
    ),
    ...section('Page requests', requestLines(report)),
    ...section('Return path', table(named(report.returnPath))),
    ...section(
      'Negotiated host pages',
      report.hostPages.map(
        ({ block, hostPage, placementPage }) =>
          `${block === '' ? 'default' : block}: host page ${formatBytes(hostPage)}, placement page ${formatBytes(placementPage)}`,
      ),
    ),
    ...section('Devices', table(deviceRows(report))),
    ...section('Bytes', table(named(report.bytes))),
    ...section('Anomalies', report.anomalies.length === 0 ? ['none'] : anomalyLines(report.anomalies)),
  ].map(printable);
}
