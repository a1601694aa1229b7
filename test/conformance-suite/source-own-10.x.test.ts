// Our own source, profile 10.x: the rules that are other ones there.
import t from 'tap';
import { checkResults, OWN_BLOCKS, ownSource, runSourceSuite } from './source-suite.ts';

t.test('our source, profile 10.x', { timeout: 600_000 }, async (t) => {
  const profile = '10.x';
  const only = ['S40', 'S41', 'S42'];
  const options = {
    commands: ownSource(profile),
    profile,
    blocks: OWN_BLOCKS,
    timeoutMs: 20_000,
    only,
  } as const;
  const results = await runSourceSuite(t, options);
  // S40 is of 7.2, where the preempt channel is opened at set-up.
  checkResults(t, results, { notRun: ['S40'], unobservable: [], obstacles: [] });
});
