// A result as text for people: pure, a list of lines.
import type { ErrorRecord } from '../errors.ts';
import { printable } from '../protocol/printable.ts';
import type { PassEstimate } from '../telemetry/expected-downtime.ts';
import type {
  CollapseCounts,
  CollapseResult,
  DemoResult,
  DemoStep,
  GuestAtSource,
  MigrationResult,
} from '../telemetry/result.ts';
import { formatBytes, formatCount, formatNs, formatRate } from './format-quantity.ts';
import { linkLines } from './report-link.ts';
import { pushLines } from './report-push.ts';
import { stallLines } from './report-stalls.ts';
import { alignColumns, wrap } from './text-layout.ts';

/** How a report looks. */
export interface ReportOptions {
  /** Whether to colour with ANSI sequences; off unless asked for. */
  readonly color?: boolean;
}

const WIDTH = 80;
const INDENT = '  ';
const SHORT_HASH_DIGITS = 16;

type Paint = (text: string, color: 'green' | 'red' | 'yellow' | 'bold') => string;
const SGR = { green: 32, red: 31, yellow: 33, bold: 1 } as const;

function painter(color: boolean): Paint {
  return (text, name) => (color ? `\x1b[${SGR[name]}m${text}\x1b[0m` : text);
}

function paragraph(text: string, indent = INDENT): string[] {
  return wrap(printable(text), WIDTH - indent.length, INDENT).map((line) => indent + line);
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => INDENT + line);
}

function errorLines(error: ErrorRecord, indent = INDENT): string[] {
  const where = [
    error.rule === undefined ? '' : `rule ${error.rule}`,
    error.stream === undefined ? '' : `stream ${error.stream}`,
    error.offset === undefined ? '' : `offset ${error.offset}`,
    error.state === undefined ? '' : `state ${error.state}`,
  ].filter((part) => part !== '');
  // Only the first line of an error that is not ours is its message; the stack belongs to the log.
  const message = error.message.split('\n', 1)[0]!;
  return paragraph(`${error.code}: ${message}${where.length === 0 ? '' : ` (${where.join(', ')})`}`, indent);
}

/** Whether a demo ended with a refusal that was to be shown. */
function isRefusedAsExpected(result: MigrationResult | DemoResult): boolean {
  if (!('steps' in result)) return false;
  return result.status === 'failed' && result.steps.every((step) => step.met);
}

function verdictOf(result: MigrationResult): string {
  if (isRefusedAsExpected(result)) return 'refused, as expected,';
  // The source of a completed migration no longer has the guest; to prove it is for the destination.
  const isUnproved = result.status === 'completed' && !result.guestVerified && result.role !== 'source';
  return isUnproved ? `${result.status}, guest not verified` : result.status;
}

/** The guest of a migration that did not complete: what became of it at the source. */
function guestAtSourceText({ accessesSince, verdict }: GuestAtSource): string {
  return `went on, ${accessesSince} accesses since; ${verdict}`;
}

/** Only a completed migration whose guest was verified is good news: QEMU itself completes with pages missing. */
function statusLine(result: MigrationResult, paint: Paint): string {
  const { status, guestVerified } = result;
  const isGood = status === 'completed' && (guestVerified || result.role === 'source');
  const color = isGood ? 'green' : status === 'completed' || isRefusedAsExpected(result) ? 'yellow' : 'red';
  const { totalNs, downtimeNs } = result.times;
  const downtime = downtimeNs === null ? '' : `, downtime ${formatNs(downtimeNs)}`;
  return `${result.role}: ${paint(verdictOf(result), color)} in ${formatNs(totalNs)}${downtime}`;
}

function negotiatedLines(result: MigrationResult): string[] {
  const rows = [['block', 'source page', 'destination page', 'placement page']];
  for (const block of result.negotiated) {
    rows.push([
      printable(block.block),
      formatBytes(block.sourceHostPageBytes),
      formatBytes(block.destinationHostPageBytes),
      formatBytes(block.placementPageBytes),
    ]);
  }
  return alignColumns(rows, 24);
}

function passLines(passes: readonly PassEstimate[]): string[] {
  const rows = [['pass', 'took', 'sent', 'remaining', 'expected', 'before 3.0', 'own', 'own old']];
  for (const pass of passes) {
    const { overPass } = pass;
    // A star: QEMU's figures were not updated in this pass, they are older or still the limit.
    const mark = pass.updatedInPass ? '' : '*';
    rows.push([
      String(pass.pass),
      formatNs(pass.durationNs),
      formatBytes(pass.bytesSent),
      formatBytes(pass.remainingBytes) + (pass.converges || overPass.converges ? '<' : ''),
      formatNs(pass.expectedDowntimeNs) + mark,
      formatNs(pass.expectedDowntimeOldNs) + mark,
      formatNs(overPass.expectedDowntimeNs),
      formatNs(overPass.expectedDowntimeOldNs),
    ]);
  }
  const lines = alignColumns(rows, 4);
  lines.push('expected: remaining / bandwidth; before 3.0: dirty rate / bandwidth');
  lines.push('own: the same two, over this pass alone');
  if (passes.some((pass) => !pass.updatedInPass)) {
    lines.push('*: not updated in this pass, which was too short for QEMU');
  }
  if (passes.some((pass) => pass.converges || pass.overPass.converges)) {
    lines.push('<: less than the downtime limit lets through, by either bandwidth');
  }
  return lines;
}

/** Host pages in pieces, which no mainline Linux can do with hugetlb pages: a reader must not take it for a measurement. */
function collapseRows({ steps, ...hostPages }: CollapseResult): string[][] {
  const rows = steps.flatMap((step) => collapseTexts(step, `pages of ${formatBytes(step.pageBytes)}`));
  return [...rows, ...collapseTexts(hostPages, 'host pages')].map((text, index) => [
    index === 0 ? 'collapsed' : '',
    text,
  ]);
}

function collapseTexts(counts: CollapseCounts, what: string): string[] {
  const { count, totalNs, maxNs, inPiecesTotalNs, inPiecesMaxNs, brokenCount } = counts;
  const times = `${formatNs(inPiecesTotalNs / count)} in the mean, at most ${formatNs(inPiecesMaxNs)}`;
  const left = brokenCount === 0 ? '' : `${formatCount(brokenCount)} still`;
  const inPieces = [count === 0 ? '' : times, left].filter((text) => text !== '');
  return [
    `${formatCount(count)} ${what} in ${formatNs(totalNs)}, longest ${formatNs(maxNs)} (emulated)`,
    ...(inPieces.length === 0 ? [] : [`  in pieces: ${inPieces.join('; ')}`]),
  ];
}

function countLines(result: MigrationResult): string[] {
  const { pages, bytes, wire } = result;
  const rows = [
    [
      'target pages',
      `precopy ${formatCount(pages.precopy)}, background ${formatCount(pages.postcopyBackground)}, requested ${formatCount(pages.requested)}`,
    ],
    ['', `zero ${formatCount(pages.zero)}, duplicate ${formatCount(pages.duplicate)}`],
    [
      'bytes',
      `wire ${formatBytes(bytes.wire)}, discarded ${formatBytes(bytes.discarded)}, amplified ${formatBytes(bytes.amplified)}`,
    ],
    ...(result.collapses === undefined ? [] : collapseRows(result.collapses)),
    ['wire rate', `mean ${formatRate(wire.bytesPerSecond)}, peak ${formatRate(wire.peakBytesPerSecond)}`],
  ];
  const lines = rows.map(([name, text]) => `${name!.padEnd(14)}${text}`);
  return [...indented(lines), ...paragraph(`link: ${wire.note}`)];
}

function machineryLine({ machinery }: MigrationResult): string {
  if (machinery === null) return 'not calibrated';
  const { clockNs, wakeNs, wakeRounds, threadCount, nodeVersion } = machinery;
  return `clock ${formatNs(clockNs)}, waking a thread p50 ${formatNs(wakeNs.p50)} p99 ${formatNs(wakeNs.p99)} (${wakeRounds} rounds), ${threadCount} hardware threads, Node ${nodeVersion}`;
}

function verificationLines(result: MigrationResult, paint: Paint): string[] {
  const { guestAtSource } = result;
  if (guestAtSource !== null) {
    const heading = guestAtSource.isProved
      ? paint('guest unharmed at the source', 'green')
      : paint('guest at the source not proved', 'red');
    return [heading, ...paragraph(guestAtSourceText(guestAtSource))];
  }
  const verdict = result.guestVerified
    ? paint('guest verified', 'green')
    : paint('guest not verified', 'yellow');
  const hashes = Object.entries(result.ramSha256).map(([block, hash]) => [
    printable(block),
    `sha256 ${printable(hash).slice(0, SHORT_HASH_DIGITS)}…`,
  ]);
  const hashLines = indented(alignColumns(hashes, 24));
  if (result.role === 'source' && result.status === 'completed')
    return [...paragraph(result.guestVerification, ''), ...hashLines];
  return [verdict, ...paragraph(result.guestVerification), ...hashLines];
}

/** A titled part; left out if it has no lines. */
function part(title: string, lines: readonly string[], paint: Paint): string[] {
  return lines.length === 0 ? [] : ['', paint(title, 'bold'), ...lines];
}

function stepLines(step: DemoStep, number: number, paint: Paint): string[] {
  const lines = [
    '',
    paint(printable(`step ${number}: ${step.name}`), 'bold'),
    ...paragraph(`expected: ${step.expectation}`),
  ];
  for (const [end, result] of [
    ['source', step.source],
    ['destination', step.destination],
  ] as const) {
    if (result === null) lines.push(`${INDENT}${end}: ended without a result`);
    else
      lines.push(
        INDENT + statusLine(result, paint),
        ...(result.error === undefined ? [] : errorLines(result.error, INDENT + INDENT)),
        ...(result.guestAtSource === null
          ? []
          : paragraph(`guest at the source: ${guestAtSourceText(result.guestAtSource)}`, INDENT + INDENT)),
      );
  }
  lines.push(INDENT + (step.met ? paint('as expected', 'green') : paint('NOT as expected', 'red')));
  return lines;
}

/**
 * A result as lines of at most 80 columns without ANSI sequences; pass `color` to have them.
 * Control characters in names and reasons that came from a peer are replaced.
 */
export function reportLines(result: MigrationResult | DemoResult, options: ReportOptions = {}): string[] {
  const paint = painter(options.color ?? false);
  const lines: string[] = [];
  if ('steps' in result) {
    lines.push(`scenario ${printable(result.scenario)}`);
    for (const [i, step] of result.steps.entries()) lines.push(...stepLines(step, i + 1, paint));
    lines.push('');
  }
  lines.push(statusLine(result, paint));
  if (result.error !== undefined) lines.push(...errorLines(result.error));
  const phases = Object.entries(result.times.phases).map(([name, ns]) => `${name} ${formatNs(ns)}`);
  lines.push(...paragraph(phases.join(', ')));
  if (result.negotiated.length > 0)
    lines.push(...part('Page sizes', indented(negotiatedLines(result)), paint));
  lines.push(...part('Moved', countLines(result), paint));
  if (result.link !== undefined)
    lines.push(
      ...part(
        'Emulated link',
        linkLines(result.link).flatMap((line) => paragraph(line)),
        paint,
      ),
    );
  if (result.passes.length > 0)
    lines.push(...part('Precopy passes, expected downtime', indented(passLines(result.passes)), paint));
  if (result.stalls !== null)
    lines.push(...part('Stalls', indented(stallLines(result.stalls, result.touch)), paint));
  lines.push(...part('Push', indented(pushLines(result.push)), paint));
  lines.push(...part('Machinery of the emulation', paragraph(machineryLine(result)), paint));
  lines.push('', ...verificationLines(result, paint));
  if (isRefusedAsExpected(result)) lines.push('', paint('refused, as expected', 'yellow'));
  return lines;
}
