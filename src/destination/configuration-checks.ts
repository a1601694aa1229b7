// Checks the stream's configuration against the local machine (rules D4 to D8).
import { MemoryMapError, ProtocolError } from '../errors.ts';
import type { StreamRecord } from '../protocol/stream-decoder.ts';

/** The configuration section, or one of its subsections. */
export type ConfigurationRecord = Extract<
  StreamRecord,
  { name: 'CONFIGURATION' | 'TARGET_PAGE_BITS' | 'CAPABILITIES' | 'UUID' }
>;

const TARGET_PAGE_BITS = 12;

/**
 * Checks one record. `machine` is the local machine type; without one, any is accepted.
 *
 * @throws ProtocolError `machine-differs` or `capability-mismatch`, MemoryMapError `target-page-differs`
 */
export function checkConfiguration(
  record: ConfigurationRecord,
  machine: string | undefined,
  effects: { warn(message: string): void },
): void {
  switch (record.name) {
    case 'CONFIGURATION':
      // Any prefix is accepted, even an empty one, as QEMU compares over the received length only.
      if (machine === undefined || machine.startsWith(record.machine)) return;
      throw new ProtocolError(
        'machine-differs',
        `Machine type received is '${record.machine}' and local is '${machine}'`,
        { rule: 'D4' },
      );
    case 'TARGET_PAGE_BITS':
      if (record.bits === TARGET_PAGE_BITS) return;
      throw new MemoryMapError(
        'target-page-differs',
        `expected target pages of 2^${TARGET_PAGE_BITS} bytes, found 2^${record.bits}`,
        { rule: 'D6' },
      );
    case 'CAPABILITIES':
      if (record.names.length === 0) return;
      throw new ProtocolError(
        'capability-mismatch',
        `expected no capability that must be on at both ends, found ${record.names.join(', ')}`,
        { rule: 'D7' },
      );
    case 'UUID':
      effects.warn('the source sent a UUID, and none is set here to compare it with');
  }
}
