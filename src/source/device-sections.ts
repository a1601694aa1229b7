// Encodes device state as sections, and describes them as QEMU's VM description does.
import { joinBytes } from '../protocol/message.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { encodeSection } from '../protocol/sections.ts';

/** State of one device. */
export interface DeviceSection {
  /** Its id in the stream that it was recorded in; without one it is numbered in order. */
  readonly sectionId?: number;
  readonly idstr: string;
  readonly instanceId: number;
  readonly versionId: number;
  readonly payload: Uint8Array;
}

/** Device sections get ids above that of `ram`. */
const FIRST_DEVICE_SECTION_ID = 3;

/** A FULL section with its footer for each device. */
export function encodeDevices(devices: readonly DeviceSection[]): Uint8Array {
  return joinBytes(
    devices.flatMap(({ idstr, instanceId, versionId, payload, ...recorded }, index) => {
      const sectionId = recorded.sectionId ?? FIRST_DEVICE_SECTION_ID + index;
      return [
        encodeSection('SECTION_FULL', { sectionId, idstr, instanceId, versionId }),
        payload,
        encodeSection('SECTION_FOOTER', { sectionId }),
      ];
    }),
  );
}

/** The JSON that follows a precopy stream: what each device section is made of. */
export function describeDevices(devices: readonly DeviceSection[]): string {
  return JSON.stringify({
    page_size: TARGET_PAGE_BYTES,
    devices: devices.map(({ idstr, instanceId, versionId, payload }) => ({
      name: idstr,
      instance_id: instanceId,
      vmsd_name: idstr,
      version: versionId,
      fields: [{ name: 'state', type: 'buffer', size: payload.length }],
    })),
  });
}
