// What an incoming migration is told, and what it asks of its driver.
import type { RamBlockSpec, RamImage } from '../machine/ram-block.ts';
import type { Profile } from '../protocol/profile.ts';
import type { ReturnPathName } from '../protocol/return-path-messages.ts';
import type { StreamRecord } from '../protocol/stream-records.ts';
import type { HostPages } from './host-pages.ts';
import type { DeviceRecord } from './known-devices.ts';
import type { CollapseStep } from './ram-tally.ts';

/** How to receive a migration. */
export interface IncomingOptions {
  readonly profile: Profile;
  /** Local machine type; without one, any is accepted. */
  readonly machine?: string | undefined;
  readonly hostPages: HostPages;
  /** Whether devices that we cannot load are kept unread instead of refused (rule D10). */
  readonly acceptsUnknownDevices: boolean;
  /** Whether to answer host page negotiation. */
  readonly negotiate: boolean;
  /** Whether a preempt channel brings requested pages; its EOS is awaited before the end (rule D103). */
  readonly preempt: boolean;
  /** How long the collapse of a host page that was placed in pieces holds the channel's thread, in ns. */
  readonly collapseNs: number;
  /** Sizes that its pieces are collapsed into before, in ascending order; without it none. */
  readonly collapseSteps?: readonly CollapseStep[] | undefined;
}

/** What the package asks for, in order; performed while pages already flow. */
export type LoadItem =
  | { readonly kind: 'device'; readonly device: DeviceRecord }
  | { readonly kind: 'ping'; readonly value: number }
  | { readonly kind: 'run'; readonly event: 'run' | 'run-precopy' };

/** What the core asks of its driver. */
export interface IncomingEffects {
  /** Sends a message on the return path. */
  reply(name: ReturnPathName, values: object): void;
  /** Makes the guest's RAM, all missing. */
  createRam(blocks: readonly RamBlockSpec[]): RamImage;
  /** Performs the items in order, and calls `onGuestRunning` after a run. */
  load(items: readonly LoadItem[]): void;
  /** Tells a thing that is no error. */
  warn(message: string): void;
  /** Monotonic ns. */
  nowNs(): number;
  /** Sees every record of the main channel that is not a page, with its place in bytes, after it was accepted. */
  record?(record: StreamRecord, offset: number, lengthBytes: number): void;
}
