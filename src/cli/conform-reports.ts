// The reports of `postcopy conform`: TAP or JSON on stdout, and the files that were asked for.
import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Report } from '../conformance/report.ts';
import { HtmlReport } from '../conformance/report-html.ts';
import { JsonReport } from '../conformance/report-json.ts';
import { JunitReport } from '../conformance/report-junit.ts';
import { TapReport } from '../conformance/report-tap.ts';
import { OptionError } from '../errors.ts';
import type { Arguments, OptionTable } from './option-table.ts';

/** Options that ask for reports. */
export const REPORT_OPTIONS = {
  json: { doc: 'print one JSON object on stdout instead of TAP: docs/conform.schema.json' },
  tap: { value: 'FILE', doc: 'write the TAP to a file too, for who wants it beside --json' },
  junit: { value: 'FILE', doc: 'write JUnit XML, for a CI server' },
  html: {
    value: 'FILE',
    doc: 'write a page to read: every rule, what was expected and seen, and what passed',
  },
} as const satisfies OptionTable;

type MakeReport = (write: (text: string) => void) => Report;

const FILE_REPORTS: Readonly<Record<'tap' | 'junit' | 'html', MakeReport>> = {
  tap: wholeTap,
  junit: (write) => new JunitReport(write),
  html: (write) => new HtmlReport(write),
};

/**
 * Opens the reports; each gets every result. Files are written at the end, so that a suite that is cancelled leaves
 * what was there before. @throws OptionError `cannot-write-report`
 */
export function openReports(args: Arguments): Report[] {
  const print = (text: string): void => void process.stdout.write(text);
  const onStdout = args.has('json') ? new JsonReport(print) : new TapReport(print);
  const files = Object.entries(FILE_REPORTS).flatMap(([name, make]) => {
    const path = args.text(name);
    if (path === undefined) return [];
    attempt(path, () => checkWritable(path));
    return [make((text) => attempt(path, () => writeFileSync(path, text)))];
  });
  return [onStdout, ...files];
}

/** TAP is written line by line, a file at once. */
function wholeTap(write: (text: string) => void): Report {
  let text = '';
  const report = new TapReport((piece) => {
    text += piece;
  });
  return {
    begin: (plan) => report.begin(plan),
    result: (result) => report.result(result),
    end: (summary) => {
      report.end(summary);
      write(text);
    },
  };
}

/** Nobody wants to hear of it only when all rules have been run. */
function checkWritable(path: string): void {
  if (!existsSync(path)) accessSync(dirname(path), constants.W_OK);
  else if (statSync(path).isDirectory()) throw new Error('it is a directory');
  else accessSync(path, constants.W_OK);
}

function attempt(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new OptionError(
      'cannot-write-report',
      `cannot write the report ${path}: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}
