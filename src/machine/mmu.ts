// The MMU rule: which host pages may stand behind a guest's RAM.

import { formatByteSize } from './byte-size.ts';

/** How the guest translates addresses: by a hashed page table (POWER8 and before), or by a radix tree. */
export type GuestMmu = 'radix' | 'hash';

/** What a guest was promised at boot. */
export interface GuestPaging {
  readonly mmu: GuestMmu;
  /** The largest page that the guest was told it may use. */
  readonly guestPageBytes: number;
}

/** Why a guest cannot run on the host pages of a block. */
export interface MmuRefusal {
  readonly block: string;
  readonly hostPageBytes: number;
  readonly guestPageBytes: number;
  readonly message: string;
}

/**
 * Tells why the guest cannot run on these blocks, or undefined when it can.
 *
 * A radix guest's accesses go through a second translation, so any host page will do. With the hash MMU there is one
 * translation only: the page that the guest uses is the page of the real machine. Device memory is never mapped with
 * the guest's large pages.
 */
export function mmuRefusal(
  { mmu, guestPageBytes }: GuestPaging,
  blocks: readonly {
    readonly name: string;
    readonly kind: 'system' | 'device';
    readonly hostPageBytes: number;
  }[],
): MmuRefusal | undefined {
  if (mmu === 'radix') return undefined;
  for (const { name, kind, hostPageBytes } of blocks) {
    if (kind === 'device' || hostPageBytes >= guestPageBytes) continue;
    const guestPage = formatByteSize(guestPageBytes);
    const hostPage = formatByteSize(hostPageBytes);
    return {
      block: name,
      hostPageBytes,
      guestPageBytes,
      message:
        `RAM block '${name}': with the hash MMU a page that the guest uses must be contiguous in host memory, ` +
        `so a ${guestPage} guest page cannot be backed by ${hostPage} host pages`,
    };
  }
  return undefined;
}
