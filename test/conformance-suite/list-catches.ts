// Prints which rules catch each planted fault, all of the suite being run: `node dist/test/conformance-suite/list-catches.js [WORD]`.
import { DESTINATION_FAULTS } from './destination-faults.ts';
import { caught, runAgainst } from './planted-peers.ts';
import { SOURCE_FAULTS } from './source-faults.ts';

const [wanted = ''] = process.argv.slice(2);
const planted = [
  ...DESTINATION_FAULTS.map((each) => ({ role: 'destination' as const, ...each })),
  ...SOURCE_FAULTS.map((each) => ({ role: 'source' as const, ...each })),
];
for (const each of planted) {
  if (!`${each.role} ${each.what}`.includes(wanted)) continue;
  const found = caught(await runAgainst(each));
  const missed = each.caughtBy.filter((id) => !found.includes(id));
  const told = missed.length === 0 ? '' : `   MISSED BY ${missed.join(', ')}`;
  process.stdout.write(`${each.role}: ${each.what}: ${found.join(', ') || 'NOT CAUGHT'}${told}\n`);
}
