// Results of a suite that never ran: one of each verdict, with an exchange and text that no format takes as it is.
import type { Exchange } from '../../src/conformance/exchange.ts';
import { scripted } from '../../src/conformance/play-script.ts';
import { countVerdicts, type Report, type SuitePlan } from '../../src/conformance/report.ts';
import type { RuleResult } from '../../src/conformance/rule.ts';
import { parseHex } from '../conformance/vectors.ts';

/** What a report may stumble over: markup, quotes, a directive of TAP, YAML, line breaks, a terminal's bell. */
export const HOSTILE = `<b>&"it's" # SKIP \\ ]]> --> \u0007\u202e: - {x}`;

/** A stream with a page, a package and an error; the page's block has a hostile name. */
const FORWARD = `51 45 56 4d 00000003
  07 00000004 "none"
  08 0001 0000
  08 0002 0004 00000001
  01 00000002 03 "ram" 00000000 00000004
    0000000000004004 04 "r<m0" 0000000000004000 0000000000000010 7e 00000002
  02 00000002 ${'0000000000000002 04 "r<m0" 00 '} ${'0000000000001022 00 0000000000002022 00 0000000000003022 00'}
    0000000000000010 7e 00000002
  08 0007 0004 0000000a 08 0004 0000 08 0005 0000
  09`;
const RETURN = '0002 0004 00000001';

export const EXCHANGE: Exchange = {
  pieces: [
    { conn: 0, dir: 'fwd', bytes: parseHex(FORWARD), tSeconds: 0.001 },
    { conn: 0, dir: 'ret', bytes: parseHex(RETURN), tSeconds: 0.002 },
  ],
  openings: [{ conn: 0, tSeconds: 0 }],
  endings: [{ conn: 0, by: 'peer', tSeconds: 0.25 }],
};

const scenario = scripted('a run', () => []);

/** Results in the order of their rules. */
export const RESULTS: readonly RuleResult[] = [
  {
    rule: { id: 'D1', sentence: `It is refused ${HOSTILE}.`, role: 'destination', checks: [] },
    verdict: 'passed',
    reason: undefined,
    checks: [
      {
        what: 'another magic',
        scenario: scenario.name,
        finding: { verdict: 'passed', expected: 'it closes', seen: 'it closed' },
        exchange: EXCHANGE,
      },
    ],
  },
  {
    rule: { id: 'D22', sentence: 'Every PING is answered.', role: 'destination', checks: [] },
    verdict: 'failed',
    reason: undefined,
    checks: [
      {
        what: `a PING ${HOSTILE}`,
        scenario: scenario.name,
        finding: { verdict: 'failed', expected: `a PONG\n${HOSTILE}`, seen: `nothing ${HOSTILE}` },
        exchange: EXCHANGE,
      },
      {
        what: 'a PING of the package',
        scenario: scenario.name,
        finding: { verdict: 'failed', expected: 'a PONG', seen: 'another one' },
        exchange: undefined,
      },
      {
        what: 'a PING on the preempt channel',
        scenario: scenario.name,
        finding: { verdict: 'not-run', why: `it needs --variant preempt ${HOSTILE}` },
        exchange: undefined,
      },
    ],
  },
  {
    rule: {
      id: 'D104',
      sentence: 'New connections are told apart.',
      role: 'destination',
      profiles: ['10.x'],
      checks: [],
    },
    verdict: 'not-run',
    reason: `it is a rule of profile 10.x ${HOSTILE}`,
    checks: [],
  },
  {
    rule: { id: 'N1', sentence: 'It waits.', role: 'destination', unobservable: 'nobody sees it' },
    verdict: 'unobservable',
    reason: 'nobody sees it',
    checks: [],
  },
];

export const PLAN: SuitePlan = {
  subject: {
    role: 'destination',
    profile: 'strict',
    machine: `none${HOSTILE}`,
    blocks: [
      { name: 'r<m0', lengthBytes: 16384, hostPageBytes: 4096 },
      { name: HOSTILE, lengthBytes: 2 ** 23, hostPageBytes: 2 ** 21 },
    ],
    recorded: undefined,
    requests: false,
    timeoutMs: 1000,
    hasVariant: () => false,
  },
  peer: `peer --listen {uri} ${HOSTILE}`,
  ruleCount: RESULTS.length,
  startedAt: '2026-11-25T08:00:00.123Z',
};

/** All that a report writes. */
export function written(make: (write: (text: string) => void) => Report): string {
  const texts: string[] = [];
  const report = make((text) => texts.push(text));
  report.begin(PLAN);
  for (const result of RESULTS) report.result(result);
  report.end({ counts: countVerdicts(RESULTS), elapsedMs: 1234.5 });
  return texts.join('');
}
