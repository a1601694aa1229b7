// The rules of the source: all of S1 to S46 belong here.
import type { Rule } from './rule.ts';
import type { Scenario } from './scenario.ts';
import { watches } from './source-scenario.ts';

const FIRST_BYTES = 9;

/** Takes the first records and leaves. */
const leavesAtOnce: Scenario = {
  name: 'the destination leaves after the first bytes',
  async play(stage) {
    let received = 0;
    const main = await stage.accept((bytes) => {
      received += bytes.length;
    });
    if (main === undefined) return 'the connection of the source';
    const came = await stage.until(() => received >= FIRST_BYTES || main.isClosed);
    main.end();
    main.destroy();
    return came ? undefined : 'the header of the stream';
  },
};

/** The rules of the source. */
export const SOURCE_RULES: readonly Rule[] = [
  {
    id: 'S1',
    sentence:
      'The source sends header, CONFIGURATION, OPEN_RETURN_PATH, the first PING, ADVISE and the START sections in this order.',
    role: 'source',
    checks: [
      {
        what: 'what the stream begins with',
        scenario: leavesAtOnce,
        judge: watches('HEADER first', ({ entries }) => {
          const [first] = entries;
          if (first === undefined) return 'nothing';
          return first.entry.kind === 'record' && first.entry.name === 'HEADER'
            ? undefined
            : 'something else';
        }),
      },
    ],
  },
];
