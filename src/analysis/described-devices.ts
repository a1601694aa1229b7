// Device states of a stream beside the lengths that the VM description gives them.

/** A device state as it came. */
export interface DeviceFigures {
  readonly idstr: string;
  readonly instanceId: number;
  readonly versionId: number;
  readonly lengthBytes: number;
  /** What the VM description says; absent where the stream has none, or where it does not say. */
  readonly describedBytes?: number;
}

/** Deeper nesting is not followed: no device has it. */
const DEPTH_LIMIT = 16;

function describedBytes(device: unknown, depth = 0): number | undefined {
  if (depth > DEPTH_LIMIT) return undefined;
  const { fields, subsections } = asObject(device);
  let sum = 0;
  for (const field of asArray(fields)) {
    const { size, array_len: count = 1 } = asObject(field);
    if (typeof size !== 'number' || typeof count !== 'number') return undefined;
    sum += size * count;
  }
  for (const subsection of asArray(subsections)) {
    const { vmsd_name: name } = asObject(subsection);
    const lengthBytes = describedBytes(subsection, depth + 1);
    if (typeof name !== 'string' || lengthBytes === undefined) return undefined;
    sum += 1 + 1 + name.length + 4 + lengthBytes; // type byte, counted name, version id
  }
  return sum;
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function readDevices(json: string): readonly unknown[] {
  try {
    return asArray(asObject(JSON.parse(json))['devices']);
  } catch {
    return []; // it describes nothing then, and every device goes without
  }
}

/** Adds to each device what the VM description, a JSON text, says of its length. */
export function describeDevices(
  devices: readonly DeviceFigures[],
  json: string | undefined,
): DeviceFigures[] {
  const described = new Map<string, number | undefined>();
  for (const device of json === undefined ? [] : readDevices(json)) {
    const { name, instance_id: instanceId } = asObject(device);
    described.set(`${String(name)} ${String(instanceId)}`, describedBytes(device));
  }
  return devices.map((device) => {
    const lengthBytes = described.get(`${device.idstr} ${device.instanceId}`);
    return lengthBytes === undefined ? device : { ...device, describedBytes: lengthBytes };
  });
}
