// Gathers what a recorded stream tells of its machine: type, configuration, devices.
import { decodePackage } from '../destination/package-records.ts';
import { ProtocolError, StateError } from '../errors.ts';
import { encodeCommand } from '../protocol/commands.ts';
import type { Profile } from '../protocol/profile.ts';
import type { ConfigurationSubsection } from '../protocol/sections.ts';
import type { DeviceStateRecord, StreamRecord } from '../protocol/stream-records.ts';
import { type DeviceSection, encodeDevices } from '../source/device-sections.ts';
import { RAM_SECTION_ID } from '../source/setup-records.ts';

/** A machine as a stream tells of it, ready to be sent again. */
export interface RecordedMachine {
  /** Machine type. */
  readonly machine: string;
  /** Subsections of the configuration, in their order. */
  readonly configuration: readonly ConfigurationSubsection[];
  /** In their order, and under their ids unless one is that of our RAM. */
  readonly devices: readonly DeviceSection[];
  /** Description of the devices, which only a precopy stream has. */
  readonly vmDescription: string | undefined;
}

/** Gathers the records of the main channel that are not pages. */
export class MachineCollector {
  readonly #profile: Profile;
  readonly #configuration: ConfigurationSubsection[] = [];
  #machine = '';
  #devices: DeviceStateRecord[] = [];
  #vmDescription: string | undefined;
  #hasPackage = false;
  #hasEof = false;
  #endOffset = 0;

  constructor(profile: Profile) {
    this.#profile = profile;
  }

  /** Whether the package has come, and with it all device state. */
  get hasPackage(): boolean {
    return this.#hasPackage;
  }

  /** Takes a record and where it stood, in bytes. @throws MigrationError for a package that cannot be sent again */
  take(record: StreamRecord, offset: number, lengthBytes: number): void {
    this.#endOffset = offset + lengthBytes;
    switch (record.name) {
      case 'CONFIGURATION':
        this.#machine = record.machine;
        return;
      case 'TARGET_PAGE_BITS':
      case 'CAPABILITIES':
      case 'UUID':
        this.#configuration.push(record);
        return;
      case 'DEVICE_STATE':
        this.#devices.push(record);
        return;
      case 'PACKAGE':
        this.#devices = devicesOfPackage(record.blob, this.#profile);
        this.#hasPackage = true;
        return;
      case 'EOF':
        this.#hasEof = true;
        return;
      case 'VMDESCRIPTION':
        this.#vmDescription = record.json;
        return;
      default:
    }
  }

  /**
   * The machine. `mainBytes`: length of the main channel, if all of it was read.
   *
   * @throws StateError `no-device-state`, ProtocolError `device-state-unclear`
   */
  machine(mainBytes?: number): RecordedMachine {
    if (!(this.#hasPackage || this.#hasEof) || this.#devices.length === 0) {
      throw new StateError('no-device-state', 'expected device state in the recording, found none', {
        stream: 'main',
        offset: this.#endOffset,
      });
    }
    // EOF that was found too early, in the state of a device, leaves something behind it.
    if (!this.#hasPackage && mainBytes !== undefined && mainBytes !== this.#endOffset) {
      throw unclear(`the end of the stream behind EOF, found ${mainBytes - this.#endOffset} bytes`);
    }
    const isOurRamId = this.#devices.some(({ sectionId }) => sectionId === RAM_SECTION_ID);
    return {
      machine: this.#machine,
      configuration: this.#configuration,
      devices: this.#devices.map(({ sectionId, idstr, instanceId, versionId, payload }) => {
        const section = { idstr, instanceId, versionId, payload };
        return isOurRamId ? section : { sectionId, ...section };
      }),
      vmDescription: this.#vmDescription,
    };
  }
}

/**
 * The devices of a package. The end of a device's state is searched (docs/dissect.md), so a state that imitates one may
 * be cut; put together again it is whole, unless a RUN was found in it, and then bytes are left over behind that.
 */
function devicesOfPackage(blob: Uint8Array, profile: Profile): DeviceStateRecord[] {
  const records = decodePackage(blob, profile, true);
  const devices = records.filter((record) => record.name === 'DEVICE_STATE');
  const commandBytes = records.reduce((sum, record) => sum + lengthOfCommand(record), 0);
  const leftBytes = blob.length - commandBytes - encodeDevices(devices).length;
  if (leftBytes !== 0) throw unclear(`RUN at the end of the package, found ${leftBytes} bytes behind it`);
  return devices;
}

function lengthOfCommand(record: StreamRecord): number {
  if (record.name === 'PING') return encodeCommand('PING', { value: record.value }).length;
  if (record.name === 'POSTCOPY_LISTEN' || record.name === 'POSTCOPY_RUN')
    return encodeCommand(record.name, {}).length;
  return 0;
}

function unclear(what: string): ProtocolError {
  return new ProtocolError('device-state-unclear', `expected ${what}: where device state ends is not clear`);
}
