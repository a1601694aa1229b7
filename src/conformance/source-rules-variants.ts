// The rules of a source with a preempt channel, of one that converges, and of releases: S40 to S46.
import { opensAtSetup, opensForPostcopy, sendsRequestedWhole } from './preempt-judges.ts';
import type { Rule } from './rule.ts';
import { POSTCOPY_RUNS, PRECOPY, PREEMPT } from './scripts-whole.ts';
import { finishesPrecopy } from './source-ending-judges.ts';
import { look, lookAtAll } from './source-findings.ts';
import { sendsNone, sendsNoSwitchover } from './source-page-judges.ts';

/** S40 to S46. */
export const SOURCE_VARIANT_RULES: readonly Rule[] = [
  {
    id: 'S40',
    sentence:
      'The main channel is connected first and the preempt channel at setup too; after END and EOF it ends with EOS.',
    role: 'source',
    profiles: ['7.2', 'strict'],
    checks: [look(PREEMPT, opensAtSetup)],
  },
  {
    id: 'S41',
    sentence: 'The preempt channel is opened only when postcopy starts, after a PONG, and ends without EOS.',
    role: 'source',
    profiles: ['10.x'],
    checks: [look(PREEMPT, opensForPostcopy)],
  },
  {
    id: 'S42',
    sentence:
      'Requested host pages go whole over the preempt channel, and one that was begun on the main channel is finished there.',
    role: 'source',
    checks: [look(PREEMPT, sendsRequestedWhole)],
  },
  {
    id: 'S43',
    sentence: 'SWITCHOVER_START is not sent to a peer of a machine type up to 9.2.',
    role: 'source',
    profiles: ['7.2', 'strict'],
    checks: lookAtAll([...POSTCOPY_RUNS, PRECOPY], sendsNoSwitchover),
  },
  {
    id: 'S44',
    sentence: 'The source may put off postcopy-active until the PONG of the PING in the package.',
    role: 'source',
    unobservable: 'it permits something, and demands nothing',
  },
  {
    id: 'S45',
    sentence:
      'Precopy that converges before postcopy starts is finished as precopy: END, devices, EOF, VMDESCRIPTION.',
    role: 'source',
    checks: [look(PRECOPY, finishesPrecopy)],
  },
  {
    id: 'S46',
    sentence: 'MULTIFD_FLUSH is not sent to a destination of release 7.2.',
    role: 'source',
    profiles: ['7.2', 'strict'],
    checks: lookAtAll(POSTCOPY_RUNS, sendsNone(['MULTIFD_FLUSH'])),
  },
];
