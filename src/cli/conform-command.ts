// `postcopy conform`: tests a destination or a source against the rules of the protocol.
import type { PeerSource } from '../conformance/peer.ts';
import { countVerdicts, type SuitePlan } from '../conformance/report.ts';
import type { Rule, RuleResult } from '../conformance/rule.ts';
import { runSuite } from '../conformance/run-suite.ts';
import { MigrationError } from '../errors.ts';
import { openReports, REPORT_OPTIONS } from './conform-reports.ts';
import { chosenRules, parsePeers, parseRole, parseSubject } from './conform-subject.ts';
import type { Arguments, CommandHelp } from './option-table.ts';
import { EXIT } from './output.ts';
import { Progress } from './progress-bar.ts';

/** Help and options of `postcopy conform`. */
export const CONFORM_HELP = {
  usage:
    "postcopy conform (destination | source) (--spawn 'COMMAND with {uri}' | --to URI | --listen URI) [OPTIONS]",
  summary: 'Tests any destination or source of the protocol: a rule at a time, as TAP.',
  options: {
    spawn: {
      value: 'COMMAND',
      doc: 'start the peer by this shell command, afresh for each run; {uri} is where a destination is to listen, or a source to connect',
    },
    variant: {
      value: 'NAME=COMMAND',
      multiple: true,
      doc: 'start the peer in another way for the rules that need it, such as preempt: see docs/conformance.md',
    },
    to: {
      value: 'URI',
      doc: 'a destination that runs already; rules that it does not live through are not run after',
    },
    listen: { value: 'URI', doc: 'where a source is to connect that somebody else starts' },
    'uri-scheme': { value: 'SCHEME', doc: 'unix or tcp: what {uri} is made of', default: 'unix' },
    machine: { short: 'M', value: 'NAME', doc: 'machine type of the peer', default: 'none' },
    blocks: {
      value: 'NAME=SIZE:PAGE,…',
      doc: "RAM layout of the peer: length and host page of each block, as in 'ram0=16M:4K,vga=8M:2M'",
      default: 'ram0=16M:4K',
    },
    'device-state': {
      value: 'RECORDING',
      doc: 'recording of a real source: its configuration, its devices and, if it is whole, its RAM are sent to a destination under test',
    },
    requests: {
      doc: "the peer's guest runs and touches missing pages: that nobody asks for a page is a failure then",
    },
    profile: { value: 'PROFILE', doc: 'strict, 7.2 or 10.x: which rules hold, and how', default: 'strict' },
    rule: { value: 'ID', multiple: true, doc: 'run this rule only, such as D39' },
    list: { doc: 'list the rules of the role and profile, and run nothing' },
    timeout: { value: 'MS', doc: 'how long anything that must come may take', default: '10000' },
    jobs: { value: 'N', doc: 'how many peers to run at a time', default: '2' },
    ...REPORT_OPTIONS,
    help: { short: 'h', doc: 'print this help' },
  },
  examples: [
    {
      doc: 'a destination of ours, with large and small pages',
      command:
        "postcopy conform destination --blocks ram0=8M:2M,ram1=256K:4K --requests --spawn 'postcopy destination --incoming {uri} --json -M none --block ram0=8M@2M --block ram1=256K@4K --touch random'",
    },
    { doc: 'which rules are there?', command: 'postcopy conform source --list --profile 7.2' },
    {
      doc: 'one rule, against a destination that waits at a port',
      command: 'postcopy conform destination --to tcp:127.0.0.1:4444 --rule D22',
    },
  ],
} as const satisfies CommandHelp;

/** Runs `postcopy conform` and returns its exit code. @throws OptionError */
export async function conformCommand(args: Arguments): Promise<number> {
  const role = parseRole(args);
  const rules = chosenRules(args, role);
  if (args.has('list')) {
    args.refuse(['spawn', 'to', 'listen', 'variant'], 'with --list, which runs nothing');
    process.stdout.write(rules.map((rule) => `${listLine(rule)}\n`).join(''));
    return EXIT.COMPLETED;
  }
  const { peers, told } = parsePeers(args, role);
  const subject = await parseSubject(args, role, peers);
  const plan: SuitePlan = {
    subject,
    peer: told,
    ruleCount: rules.length,
    startedAt: new Date().toISOString(),
  };
  return await run(args, plan, { rules, peers });
}

async function run(
  args: Arguments,
  plan: SuitePlan,
  { rules, peers }: { readonly rules: readonly Rule[]; readonly peers: PeerSource },
): Promise<number> {
  const reports = openReports(args);
  const progress = new Progress({
    stream: process.stderr,
    isTerminal: process.stderr.isTTY,
    label: 'conform',
  });
  const abort = new AbortController();
  const cancel = (): void => abort.abort();
  process.once('SIGINT', cancel).once('SIGTERM', cancel);
  const beganMs = performance.now();
  const results: Pick<RuleResult, 'verdict'>[] = [];
  const jobs = args.integer('jobs', 1, 64);
  for (const report of reports) report.begin(plan);
  try {
    for await (const result of runSuite({
      subject: plan.subject,
      peers,
      rules,
      jobs,
      signal: abort.signal,
    })) {
      results.push({ verdict: result.verdict });
      progress.clear();
      for (const report of reports) report.result(result);
      if (process.stderr.isTTY) progress.phase(bar(results.length, rules.length, result));
    }
  } catch (error) {
    if (!(error instanceof MigrationError && error.code === 'cancelled')) throw error;
    process.stdout.write('Bail out! cancelled\n');
    return EXIT.CANCELLED;
  } finally {
    progress.done();
    process.off('SIGINT', cancel).off('SIGTERM', cancel);
  }
  const counts = countVerdicts(results);
  for (const report of reports) report.end({ counts, elapsedMs: performance.now() - beganMs });
  return counts.failed === 0 ? EXIT.COMPLETED : EXIT.FAILED;
}

const BAR_WIDTH = 24;

function bar(done: number, total: number, { rule, verdict }: RuleResult): string {
  const filled = Math.floor((done / total) * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}] ${done} of ${total} rules, ${rule.id} ${verdict}`;
}

function listLine(rule: Rule): string {
  const profiles = rule.profiles === undefined ? '' : ` [${rule.profiles.join(', ')}]`;
  const hidden = 'unobservable' in rule ? ` (unobservable: ${rule.unobservable})` : '';
  return `${rule.id.padEnd(5)}${rule.sentence}${profiles}${hidden}`;
}
