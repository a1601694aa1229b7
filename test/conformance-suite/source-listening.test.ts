// A source that somebody else starts is judged by the one run that it gives.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { rulesOf } from '../../src/conformance/rules.ts';
import { runSuite } from '../../src/conformance/run-suite.ts';
import { runningPeer } from '../../src/conformance/spawn-peer.ts';
import { Command, temporaryDirectory } from '../e2e/command.ts';
import { OWN_BLOCKS } from './source-suite.ts';

const POLL_MS = 5;

t.test('one run, and no more', { timeout: 120_000 }, async (t) => {
  const path = join(temporaryDirectory(t), 'm');
  const peers = runningPeer({ scheme: 'unix', path });
  const abort = new AbortController();
  t.teardown(() => abort.abort());
  const [block] = OWN_BLOCKS;
  const source = (async () => {
    while (!existsSync(path) && !abort.signal.aborted) await sleep(POLL_MS);
    const options = [
      '--block',
      `${block!.name}=${block!.lengthBytes}@4K`,
      '-M',
      'none',
      '--postcopy-after',
      'now',
    ];
    return await new Command(['source', '--migrate', `unix:${path}`, '--smp', '1', ...options]).ended;
  })();
  const verdicts: Record<string, string> = {};
  const reasons: Record<string, string | undefined> = {};
  const rules = rulesOf('source').filter(({ id }) => ['S2', 'S18', 'S33', 'S22'].includes(id));
  for await (const { rule, verdict, reason } of runSuite({
    subject: {
      role: 'source',
      profile: 'strict',
      machine: 'none',
      blocks: OWN_BLOCKS,
      recorded: undefined,
      requests: false,
      timeoutMs: 15_000,
      hasVariant: () => false,
    },
    peers,
    rules,
    jobs: 1,
    signal: abort.signal,
  })) {
    verdicts[rule.id] = verdict;
    reasons[rule.id] = reason;
  }
  t.equal((await source).exitCode, 0, 'the source completes');
  t.strictSame(verdicts, { S2: 'passed', S18: 'passed', S22: 'not-run', S33: 'passed' });
  t.equal(reasons['S22'], 'no source connected in time');
});
