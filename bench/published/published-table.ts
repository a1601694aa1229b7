// Figures that others have published, beside ours.
import type { Cell } from '../cells/axes.ts';
import type { CellSummary } from '../cells/cell-summary.ts';
import { formatFigure, formatSummary } from '../cells/figure-text.ts';
import { FIGURES, type FigureName } from '../cells/figures.ts';
import { describeMissedLinks, describeOrigins } from '../cells/report-notes.ts';
import { formatSpread, type Spread, spreadOf } from '../spread.ts';
import { formatTable } from '../table.ts';
import { PUBLICATIONS, type PublishedFigure } from './published-figures.ts';

/** Of a cell that was not run, or that has no such figure. */
const NONE = '-';

/** Whether a cell has all the values given. */
export function isLike(cell: Cell, values: Partial<Cell>): boolean {
  return Object.entries(values).every(([axis, value]) => cell[axis as keyof Cell] === value);
}

/** Every run of one cell over every run of another. */
function ratioOf(figure: FigureName, top: CellSummary, bottom: CellSummary): Spread | undefined {
  const valuesOf = ({ completed }: CellSummary) =>
    completed.map(FIGURES[figure].of).filter((value) => value !== null && value > 0) as number[];
  const ratios = valuesOf(top).flatMap((a) => valuesOf(bottom).map((b) => a / b));
  return ratios.length === 0 ? undefined : spreadOf(ratios);
}

function publishedText({ published, figure, over }: PublishedFigure): string {
  const text = (value: number) =>
    over === undefined ? formatFigure(value, FIGURES[figure].unit) : `${value.toFixed(1)} times`;
  return typeof published === 'number' ? text(published) : `${published[0]} to ${published[1]} %`;
}

/** Ours over what was published; within a published range that is 1. */
function againstPublished({ published }: PublishedFigure, ours: number): string {
  const [least, most] = typeof published === 'number' ? [published, published] : published;
  if (least < most && ours >= least && ours <= most) return 'within';
  return (ours / (ours < least ? least : most)).toPrecision(2);
}

function row(figure: PublishedFigure, summaries: readonly CellSummary[]): string[] {
  const find = (values: Partial<Cell>) => summaries.find(({ cell }) => isLike(cell, values));
  const own = find(figure.cell);
  const start = [figure.what, publishedText(figure)];
  if (own === undefined) return [...start, 'not run', NONE, NONE];
  if (figure.over !== undefined) {
    const other = find(figure.over);
    const ratio = other === undefined ? undefined : ratioOf(figure.figure, own, other);
    if (ratio === undefined) return [...start, 'not run', NONE, NONE];
    return [...start, formatSpread(ratio, 1), NONE, againstPublished(figure, ratio.median)];
  }
  const ours = own.figures[figure.figure];
  const isTime = FIGURES[figure.figure].unit === 'ns';
  return [
    ...start,
    formatSummary(own, figure.figure),
    isTime ? formatSummary(own, 'floor') : NONE,
    ours === null ? NONE : againstPublished(figure, ours.median),
  ];
}

/** The tables, one for each publication. */
export function publishedTable(summaries: readonly CellSummary[]): string {
  const missed = describeMissedLinks(summaries);
  return [
    ...describeOrigins(summaries.flatMap(({ runs }) => runs)),
    ...PUBLICATIONS.flatMap(({ title, setting, figures }) => [
      '',
      `${title}. ${setting}.`,
      '',
      formatTable(
        ['', 'published', 'here', 'floor', 'here / published'],
        figures.map((figure) => row(figure, summaries)),
      ),
      '',
      ...figures.map(({ what, reason }) => `- ${what}: ${reason}.`),
    ]),
    '',
    'Median over the runs; ± is the farthest run from it. floor: what the wire alone needs for one page; ! under it.',
    ...(missed.length === 0 ? [] : ['', 'LINK NOT CARRIED:', ...missed.map((line) => `  ${line}`)]),
  ].join('\n');
}
