// The devices that a destination of ours can load: the guest's description and its vCPUs.
import { ProtocolError } from '../errors.ts';
import { VCPU_STATE_BYTES } from '../machine/vcpu-state.ts';
import { RAM_IDSTR, RAM_SECTION_VERSION } from '../protocol/ram-records.ts';
import type { StreamRecord } from '../protocol/stream-decoder.ts';

/** State of a device as the stream brought it. */
export type DeviceRecord = Extract<StreamRecord, { name: 'DEVICE_STATE' }>;

/** Section of the guest's description. */
export const GUEST_IDSTR = 'postcopy/guest';
/** Section of a vCPU; the instance id is its index. */
export const VCPU_IDSTR = 'postcopy/vcpu';

/** Newest version that we can load, by section name. */
const VERSIONS: ReadonlyMap<string, number> = new Map([
  [RAM_IDSTR, RAM_SECTION_VERSION],
  [GUEST_IDSTR, 1],
  [VCPU_IDSTR, 1],
]);

/** Length in bytes of a device's payload, where it never varies. */
export function deviceStateBytes(idstr: string, versionId: number): number | undefined {
  return idstr === VCPU_IDSTR && versionId === 1 ? VCPU_STATE_BYTES : undefined;
}

/** @throws ProtocolError `unknown-section` (rule D10) or `bad-section-version` (rule D11) */
export function checkKnownSection(
  { idstr, instanceId, versionId }: { idstr: string; instanceId: number; versionId: number },
  acceptsUnknown: boolean,
): void {
  const version = VERSIONS.get(idstr);
  const isInstance = idstr === VCPU_IDSTR || instanceId === 0;
  if (version === undefined ? !acceptsUnknown : !isInstance) {
    throw new ProtocolError(
      'unknown-section',
      `expected a device of ours, found '${idstr}' instance ${instanceId}`,
      {
        rule: 'D10',
      },
    );
  }
  if (version !== undefined && versionId > version) {
    throw new ProtocolError(
      'bad-section-version',
      `section '${idstr}': expected at most version ${version}, found ${versionId}`,
      { rule: 'D11' },
    );
  }
}
