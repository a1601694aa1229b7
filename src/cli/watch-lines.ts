// A migration that is under way as lines of text: state, progress, map, vCPUs, stalls and rates of each end. Pure.
import type { FeedModel } from '../feed/feed-model.ts';
import { FEED_PAGE } from '../feed/page-runs.ts';
import { printable } from '../protocol/printable.ts';
import { formatBytes, formatNs } from './format-quantity.ts';
import { cut } from './text-layout.ts';

/** Rows of the map of one block. */
const MAP_ROWS = 3;
const BAR_WIDTH = 20;
/** By how much of a cell is there: nothing, some, about half, most, all. */
const SHADES = [' ', '░', '▒', '▓', '█'] as const;
const THERE: ReadonlySet<number> = new Set([
  FEED_PAGE.PUSHED,
  FEED_PAGE.BY_REQUEST,
  FEED_PAGE.ZERO,
  FEED_PAGE.PRECOPY,
  FEED_PAGE.SENT,
]);

/** Memory as cells, each for as many pages: a `?` where a vCPU waits for one of them. */
export function mapCells(states: Uint8Array, cells: number): string {
  let text = '';
  for (let cell = 0; cell < cells; cell += 1) {
    const from = Math.floor((cell * states.length) / cells);
    const to = Math.max(from + 1, Math.floor(((cell + 1) * states.length) / cells));
    let there = 0;
    let isAwaited = false;
    for (let entry = from; entry < to; entry += 1) {
      if (THERE.has(states[entry]!)) there += 1;
      else if (states[entry] === FEED_PAGE.REQUESTED) isAwaited = true;
    }
    // Full and empty only where all and none is there.
    const shade = Math.ceil((there / (to - from)) * (SHADES.length - 2));
    text += isAwaited ? '?' : there === to - from ? SHADES[4] : SHADES[shade];
  }
  return text;
}

/** Where an end stands, in one line: `destination: postcopy-active 62 % of 512 MiB, 1.2 GB/s`. */
export function stateLine(end: string, { last }: FeedModel): string {
  const state = last.state?.state ?? 'unknown';
  const reason = last.state?.reason === undefined ? '' : `: ${last.state.reason}`;
  const { totals, stalls } = last;
  const share =
    totals === undefined || totals.totalBytes === 0
      ? ''
      : ` ${percent(totals.presentBytes, totals.totalBytes)} of ${formatBytes(totals.totalBytes)}`;
  const faults =
    stalls === undefined || stalls.count === 0 ? '' : `, ${stalls.count} stalls, p50 ${formatNs(stalls.p50)}`;
  return printable(`${end}: ${state}${share}${faults}${reason}`);
}

/** Both ends, as many lines as they need; none is longer than `columns`. */
export function watchLines(ends: ReadonlyMap<string, FeedModel>, columns: number): string[] {
  return [...ends].flatMap(([end, model]) => endLines(end, model, columns)).map((line) => cut(line, columns));
}

function endLines(end: string, model: FeedModel, columns: number): string[] {
  const { last, blocks, passes } = model;
  const { totals } = last;
  const done = totals === undefined || totals.totalBytes === 0 ? 0 : totals.presentBytes / totals.totalBytes;
  const bar = `[${'#'.repeat(Math.floor(done * BAR_WIDTH)).padEnd(BAR_WIDTH, '-')}]`;
  const lines = [columns < 60 ? stateLine(end, model) : `${stateLine(end, model)} ${bar}`];
  for (const { name, states } of blocks.values()) {
    const cells = Math.min(states.length, Math.max(1, columns - 2) * MAP_ROWS);
    const map = mapCells(states, cells);
    lines.push(`  ${printable(name)}`);
    for (let at = 0; at < map.length; at += columns - 2) lines.push(`  ${map.slice(at, at + columns - 2)}`);
  }
  const vcpus = vcpuLine(model);
  if (vcpus !== '') lines.push(vcpus);
  const { rates, stalls } = last;
  if (rates !== undefined) lines.push(rateLine(rates));
  if (stalls !== undefined && stalls.count > 0) {
    const floor = stalls.floor === null ? '' : `, the wire alone ${formatNs(stalls.floor)}`;
    lines.push(
      `  stalls ${stalls.count}: p50 ${formatNs(stalls.p50)}, p99 ${formatNs(stalls.p99)}, max ${formatNs(stalls.max)}${floor}`,
    );
  }
  const pass = passes.at(-1);
  if (pass !== undefined) {
    lines.push(
      `  pass ${pass.index}: ${formatBytes(pass.remaining)} left, expected downtime ${formatNs(pass.expectedDowntimeNew)}`,
    );
  }
  return lines;
}

function vcpuLine({ last, atNs }: FeedModel): string {
  const list = last.vcpus?.list ?? [];
  const told = list.map(({ running, block, offset, since }, index) => {
    if (block === undefined) return `vCPU ${index} ${running ? 'runs' : 'stands still'}`;
    const waited = since === undefined ? '' : ` for ${formatNs(Math.max(0, atNs - since))}`;
    return `vCPU ${index} waits${waited} at ${printable(block)} 0x${(offset ?? 0).toString(16)}`;
  });
  return told.length === 0 ? '' : `  ${told.join(' · ')}`;
}

function rateLine(rates: NonNullable<FeedModel['last']['rates']>): string {
  const seconds = rates.interval / 1e9 || 1;
  const perSecond = (bytes: number): string => `${formatBytes(Math.round(bytes / seconds))}/s`;
  const paused = rates.pushPaused ? ', push paused' : '';
  return (
    `  wire ${perSecond(rates.wire)}, pushed ${perSecond(rates.background)}, requested ${perSecond(rates.urgent)}, ` +
    `precopy ${perSecond(rates.precopy)}, ${Math.round(rates.faults / seconds)} faults/s${paused}`
  );
}

function percent(part: number, whole: number): string {
  return `${Math.floor((part / whole) * 100)} %`;
}
