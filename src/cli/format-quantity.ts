// Numbers with their units, as people read them: durations, bytes, rates.

/** Three significant digits, never in exponential form. */
function threeDigits(value: number): string {
  const text = value.toPrecision(3);
  return text.includes('e') ? String(Math.round(value)) : text;
}

/** The value in the largest unit in which it is at least 1 once it is rounded: 999.6 us are `1.00 ms`. */
function inUnit(value: number, base: number, units: readonly string[]): [number, string] {
  let scaled = value;
  let unit = 0;
  while (unit < units.length - 1 && Number(threeDigits(scaled)) >= base) {
    scaled /= base;
    unit++;
  }
  return [scaled, units[unit]!];
}

/** A duration in ns as `0 ns`, `12 ns`, `12.3 us`, `1.23 ms`, `123 s`; `-` for `null`. */
export function formatNs(durationNs: number | null): string {
  if (durationNs === null) return '-';
  const [value, unit] = inUnit(durationNs, 1000, ['ns', 'us', 'ms', 's']);
  return `${unit === 'ns' ? Math.round(value) : threeDigits(value)} ${unit}`;
}

/** Bytes in binary units as `512 B`, `16 MiB`, `1.50 GiB`: whole numbers exact, else three digits; `-` for `null`. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return '-';
  const [value, unit] = inUnit(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
  return `${Number.isInteger(value) ? value : threeDigits(value)} ${unit}`;
}

/** A rate in bytes/s as `1180 MB/s (9.44 Gbit/s)`; `-` for `null`. */
export function formatRate(bytesPerSecond: number | null): string {
  if (bytesPerSecond === null) return '-';
  const [bytes, bytesUnit] = inUnit(bytesPerSecond, 1000, ['B/s', 'kB/s', 'MB/s']);
  const [bits, bitsUnit] = inUnit(bytesPerSecond * 8, 1000, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s']);
  return `${threeDigits(bytes)} ${bytesUnit} (${threeDigits(bits)} ${bitsUnit})`;
}

/** A count, `-` for `null`. */
export function formatCount(count: number | null): string {
  return count === null ? '-' : String(count);
}
