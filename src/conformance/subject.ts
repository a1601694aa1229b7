// What is under test, as the command line describes it: role, profile, and the layout of the peer.
import type { RamImage } from '../machine/ram-block.ts';
import type { Profile } from '../protocol/profile.ts';
import type { RecordedMachine } from '../replay/recorded-machine.ts';
import type { Role } from './rule.ts';

/** A RAM block of the peer. */
export interface LayoutBlock {
  readonly name: string;
  readonly lengthBytes: number;
  /** Host page behind it, in bytes. */
  readonly hostPageBytes: number;
}

/** The peer, and how it is to be tested. */
export interface Subject {
  readonly role: Role;
  readonly profile: Profile;
  /** Machine type of the peer. */
  readonly machine: string;
  readonly blocks: readonly LayoutBlock[];
  /** What a scripted source sends as device state, and as RAM where the recording held all of it. */
  readonly recorded: { readonly machine: RecordedMachine; readonly ram: RamImage | undefined } | undefined;
  /** Whether the peer's guest touches missing pages, so that it must ask for them. */
  readonly requests: boolean;
  /** How long anything that must come may take, in ms. */
  readonly timeoutMs: number;
  /** Whether there is a way to start the peer as `variant`. */
  hasVariant(variant: string): boolean;
}

/** The first block with host pages larger than the target page. */
export function hugeBlock(subject: Subject): LayoutBlock | undefined {
  return subject.blocks.find((block) => block.hostPageBytes > 4096);
}

/** The first block with 4 KiB host pages. */
export function smallBlock(subject: Subject): LayoutBlock | undefined {
  return subject.blocks.find((block) => block.hostPageBytes === 4096);
}
