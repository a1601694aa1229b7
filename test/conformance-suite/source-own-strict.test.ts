// Our own source keeps every rule of a source, profile strict.
import t from 'tap';
import { checkResults, OWN_BLOCKS, ownSource, runSourceSuite } from './source-suite.ts';

t.test('our source, profile strict', { timeout: 600_000 }, async (t) => {
  const profile = 'strict';
  const options = { commands: ownSource(profile), profile, blocks: OWN_BLOCKS, timeoutMs: 20_000 } as const;
  checkResults(t, await runSourceSuite(t, options), {
    // It has no recovery; S41 is of profile 10.x.
    notRun: ['S36', 'S37', 'S41'],
    unobservable: ['S16', 'S44'],
    obstacles: [/--variant recover=/],
  });
});
