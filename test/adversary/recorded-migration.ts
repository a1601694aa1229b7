// Records a whole small migration of a real guest, made by our source's core, with no socket and no thread.
import { fillPattern } from '../../src/machine/fill.ts';
import { encodeGuestDescription } from '../../src/machine/guest-description.ts';
import { initialVcpuStates } from '../../src/machine/initial-vcpu-states.ts';
import { type RamBlockSpec, RamImage } from '../../src/machine/ram-block.ts';
import { encodeVcpuState } from '../../src/machine/vcpu-state.ts';
import type { DeviceSection } from '../../src/source/device-sections.ts';
import type { OutgoingOptions } from '../../src/source/outgoing.ts';
import { IncomingRig, type RigOptions } from '../destination/incoming-rig.ts';
import { OutgoingRig } from '../source/drive-outgoing.ts';

const K = 1024;

/** Small, and with pages of two sizes, so that whole host pages and single ones are both there. */
export const TINY_BLOCKS: readonly RamBlockSpec[] = [
  { name: 'pc.ram', lengthBytes: 32 * K, hostPageBytes: 16 * K, kind: 'system' },
  { name: 'vga.vram', lengthBytes: 8 * K, hostPageBytes: 4 * K, kind: 'device' },
];

/** The sections of a guest with one vCPU. */
export function guestDevices(blocks: readonly RamBlockSpec[]): DeviceSection[] {
  const totalPages = blocks.reduce((sum, block) => sum + block.lengthBytes / 4096, 0);
  const [vcpu] = initialVcpuStates({
    vcpus: 1,
    program: 'sequential',
    seed: 1,
    writePercent: 50,
    ratePerSecond: 0,
    totalPages,
  });
  const payload = encodeGuestDescription({
    fill: { kind: 'pattern', seed: 1, zeroPercent: 25 },
    blocks,
    mmu: 'radix',
    guestPageBytes: 4096,
  });
  return [
    { idstr: 'postcopy/guest', instanceId: 0, versionId: 1, payload },
    { idstr: 'postcopy/vcpu', instanceId: 0, versionId: 1, payload: encodeVcpuState(vcpu!) },
  ];
}

/** The source's RAM, filled. */
export function filledImage(blocks: readonly RamBlockSpec[]): RamImage {
  const image = RamImage.allocate(blocks, 'present');
  fillPattern(image, 1);
  return image;
}

/** A migration between two cores. */
export interface CorePair {
  readonly source: OutgoingRig;
  readonly destination: IncomingRig;
  readonly image: RamImage;
}

/** Joins both cores back to back: what one sends the other has at once. */
export function joinCores(
  blocks: readonly RamBlockSpec[],
  options: Partial<OutgoingOptions>,
  rigOptions: RigOptions,
  onSend: (image: RamImage, bytesBefore: number) => void = () => undefined,
): CorePair {
  const image = filledImage(blocks);
  const destination = new IncomingRig(rigOptions);
  let answered = 0;
  const source: OutgoingRig = new OutgoingRig(image, options, {
    onSend(bytes) {
      onSend(image, source.nowNs - bytes.length);
      destination.push(bytes);
      const replies = destination.replyBytes;
      source.answer(replies.subarray(answered));
      answered = replies.length;
    },
  });
  source.devices = guestDevices(blocks);
  return { source, destination, image };
}

/** The tiny migration, legacy peers with equal pages: plain precopy, or one pass, pages dirtied meanwhile, and postcopy. */
export function recordTiny(kind: 'postcopy' | 'precopy'): { bytes: Uint8Array; image: RamImage } {
  const { source, image } = joinCores(
    TINY_BLOCKS,
    kind === 'precopy'
      ? { postcopyRam: false, downtimeLimitNs: 1e12 }
      : { postcopyAfter: { kind: 'passes', count: 1 } },
    tinyRigOptions(),
    (image, bytesBefore) => {
      if (bytesBefore > 0)
        for (const page of kind === 'postcopy' ? [1, 2] : []) image.blocks[0]!.dirtyLog.set(page);
    },
  );
  source.run();
  return { bytes: source.bytes, image };
}

/** A destination for the tiny guest, with the same pages. */
export function tinyRigOptions(): RigOptions {
  return { hostPageBytes: 16 * K, byName: new Map([['vga.vram', 4 * K]]) };
}
