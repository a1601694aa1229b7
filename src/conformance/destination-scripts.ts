// Scripts of a source that keeps every rule but one: where they differ, and how a rule names them.
import { encodeSection } from '../protocol/sections.ts';
import { describeDevices } from '../source/device-sections.ts';
import { RAM_SECTION_ID } from '../source/setup-records.ts';
import {
  advise,
  deviceSections,
  END_LABEL,
  endOfRam,
  type HonestOptions,
  honestScript,
  LISTEN,
  PING_IN_PACKAGE,
  packageOf,
  preamble,
  probe,
  RUN,
  ramPart,
  ramStart,
} from './honest-script.ts';
import { MigrationPlan, type PlannedBlock } from './migration-plan.ts';
import { type ScriptOptions, scripted } from './play-script.ts';
import type { Scenario } from './scenario.ts';
import { after, before, replace, type Step, send } from './script.ts';
import { hugeBlock, type Subject, smallBlock } from './subject.ts';

/** Changes the script of an honest source. */
export type Edit = (steps: readonly Step[], plan: MigrationPlan, subject: Subject) => readonly Step[];

/** A scenario with an honest source but for `edit`. */
export function edited(name: string, edit: Edit, options: ScriptOptions & HonestOptions = {}): Scenario {
  return scripted(
    name,
    (subject) => {
      const plan = new MigrationPlan(subject);
      return edit(honestScript(subject, plan, options), plan, subject);
    },
    options,
  );
}

/** PING values that tell how far a peer has come. */
const PROBE = { SETUP: 0x101, PRECOPY: 0x102, RUNNING: 0x103 } as const;

/** Steps put in before ADVISE, as soon as a PONG shows that the peer is there. */
export function inSetup(steps: readonly Step[], ...added: readonly Step[]): Step[] {
  return before(steps, 'advise', ...probe(PROBE.SETUP), ...added);
}

/** Steps put in behind the precopy pages, when a PONG shows that the peer has taken them. */
export function inPrecopy(steps: readonly Step[], ...added: readonly Step[]): Step[] {
  return after(steps, 'end of part', ...probe(PROBE.PRECOPY), ...added);
}

/** RUN stands behind PING 3, and on a busy machine may take so long after its PONG. Nothing tells when it was done. */
const RUN_MS = 100;

/** The waits that show that the guest runs at the peer: its package is loaded, and one more PING was answered. */
export function whenRunning(): Step[] {
  const loaded: Step = {
    label: 'PONG 3 and 4',
    do: 'await',
    until: ({ pongs }) => pongs.includes(3) && pongs.includes(4),
  };
  return [loaded, { label: 'RUN', do: 'listen', ms: RUN_MS }, ...probe(PROBE.RUNNING)];
}

/** Steps put in when the guest runs, before the pages of postcopy. */
export function inRunning(steps: readonly Step[], ...added: readonly Step[]): Step[] {
  return before(steps, 'postcopy part', ...whenRunning(), ...added);
}

/** Bytes put in where a record of the first precopy part may stand. */
export function inPrecopyPart(steps: readonly Step[], bytes: Uint8Array): Step[] {
  return after(before(steps, 'part', ...probe(PROBE.PRECOPY)), 'part', send('changed', bytes));
}

/** Bytes put in where the first record of the postcopy part may stand, when the guest runs. */
export function inPostcopyPart(steps: readonly Step[], bytes: Uint8Array): Step[] {
  return after(inRunning(steps), 'postcopy part', send('changed', bytes));
}

/** The package with other content. */
export function withPackage(steps: readonly Step[], ...parts: readonly Uint8Array[]): Step[] {
  return replace(steps, 'package', send('package', packageOf(...parts)));
}

/** What a package holds usually. */
export function usualPackage(subject: Subject): Uint8Array[] {
  return [LISTEN, deviceSections(subject), PING_IN_PACKAGE, RUN];
}

/** What of the usual stream may be left out. */
export interface PrecopyOptions {
  readonly isAdvised?: boolean;
  readonly hasReturnPath?: boolean;
  /** Steps behind EOF in place of the VM description. */
  readonly behindEof?: readonly Step[];
  /** Steps in place of the part with all pages. */
  readonly pages?: readonly Step[];
}

/** A whole migration by precopy. */
export function precopyScript(subject: Subject, plan: MigrationPlan, options: PrecopyOptions = {}): Step[] {
  const { isAdvised = true, hasReturnPath = true } = options;
  const described = subject.recorded?.machine.vmDescription;
  const description = described ?? describeDevices(subject.recorded?.machine.devices ?? []);
  const begin = hasReturnPath ? preamble(subject) : preamble(subject).slice(0, 3);
  return [
    ...begin,
    ...(isAdvised ? [send('advise', advise(subject))] : []),
    send('ram list', ramStart(subject.blocks, isAdvised)),
    ...(options.pages ?? allPages(plan)),
    send('end', encodeSection('SECTION_END', { sectionId: RAM_SECTION_ID }), endOfRam()),
    send('devices', deviceSections(subject)),
    send('eof', encodeSection('EOF', {})),
    ...(options.behindEof ?? [send('description', encodeSection('VMDESCRIPTION', { json: description }))]),
    { label: END_LABEL, do: 'await-end' },
  ];
}

/** A PART with all pages of all blocks as they are at the end. */
export function allPages(plan: MigrationPlan): Step[] {
  return [
    send('part', ramPart()),
    ...plan.blocks.map((block) => send(`precopy ${block.name}`, plan.allPages(block))),
    send('end of part', endOfRam()),
  ];
}

/** The peer has no host page that is larger than a target page. */
export function needsHugeBlock(subject: Subject): string | undefined {
  if (hugeBlock(subject) !== undefined) return undefined;
  return 'it needs a block with host pages larger than 4 KiB: see --blocks';
}

/** The peer has large host pages only. */
export function needsSmallBlock(subject: Subject): string | undefined {
  return smallBlock(subject) === undefined
    ? 'it needs a block with host pages of 4 KiB: see --blocks'
    : undefined;
}

/** The peer has no block of several 4 KiB pages. */
export function needsSmallPages(subject: Subject): string | undefined {
  const block = smallBlock(subject);
  if (block !== undefined && block.lengthBytes / block.hostPageBytes >= 40) return undefined;
  return 'it needs a block of at least 40 host pages of 4 KiB: see --blocks';
}

/** The peer has one block only. */
export function needsTwoBlocks(subject: Subject): string | undefined {
  return subject.blocks.length > 1 ? undefined : 'it needs a layout of two blocks: see --blocks';
}

/** The planned block with large host pages. */
export function hugeOf(plan: MigrationPlan, subject: Subject): PlannedBlock {
  return plan.block(hugeBlock(subject)!.name);
}

/** The planned block with 4 KiB host pages. */
export function smallOf(plan: MigrationPlan, subject: Subject): PlannedBlock {
  return plan.block(smallBlock(subject)!.name);
}

/** The first block of which pages are sent in postcopy. */
export function movingOf(plan: MigrationPlan): PlannedBlock {
  return plan.blocks.find((block) => block.postcopy.length > 0)!;
}
