// Scenarios in which the connection breaks in postcopy and the source connects again.
import type { RecoveryPlan } from './destination-script.ts';
import type { Scenario } from './scenario.ts';
import { sourceScenario } from './source-scenario.ts';

const RIGHT: RecoveryPlan = { cutAfterPages: 64, lostPages: 8, bitmap: 'right', ack: 1 };

function recovery(name: string, plan: Partial<RecoveryPlan>): Scenario {
  return sourceScenario({ name, start: 'recover', recovery: { ...RIGHT, ...plan } });
}

export const RECOVERY = recovery('recovery, with pages that got lost', {});
export const BITMAP_SHORT = recovery('recovery with a received bitmap that is too short', {
  bitmap: 'too-short',
});
export const BITMAP_UNMARKED = recovery('recovery with a received bitmap without its end mark', {
  bitmap: 'without-mark',
});
export const ACK_2 = recovery('recovery with RESUME_ACK 2', { ack: 2 });
