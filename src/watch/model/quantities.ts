// Numbers as the page shows them: short, with a unit, and of the same width from one moment to the next.

function digits(value: number): string {
  if (value >= 99.95 || value === 0) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function inUnits(value: number, base: number, units: readonly string[]): string {
  let scaled = value;
  let unit = 0;
  while (scaled >= base * 0.9995 && unit < units.length - 1) {
    scaled /= base;
    unit += 1;
  }
  return `${digits(scaled)} ${units[unit]}`;
}

/** A duration: `12.3 µs`, `1.05 s`. */
export function durationText(ns: number | null | undefined): string {
  if (ns == null || !Number.isFinite(ns)) return '–';
  return ns < 1000 ? `${Math.round(ns)} ns` : inUnits(ns / 1000, 1000, ['µs', 'ms', 's']);
}

/** Bytes in binary units, exact where they are whole: `16 MiB`. */
export function bytesText(bytes: number | null | undefined): string {
  if (bytes == null || !Number.isFinite(bytes)) return '–';
  let scaled = bytes;
  let unit = 0;
  while (scaled >= 1024 && unit < 5) {
    scaled /= 1024;
    unit += 1;
  }
  const text = Number.isInteger(scaled) ? String(scaled) : digits(scaled);
  return `${text} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][unit]}`;
}

/** Bytes a second: `1.18 GB/s`. */
export function rateText(bytesPerSecond: number | null | undefined): string {
  if (bytesPerSecond == null || !Number.isFinite(bytesPerSecond)) return '–';
  return inUnits(bytesPerSecond, 1000, ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s']);
}

/** A count, with thin spaces between thousands. */
export function countText(count: number | null | undefined): string {
  if (count == null || !Number.isFinite(count)) return '–';
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, '\u2009');
}

/** A share of 0 to 1 as per cent; never 100 before all of it is there. */
export function percentText(share: number): string {
  if (!Number.isFinite(share)) return '–';
  const percent = share * 100;
  return `${share < 1 ? Math.min(99.9, Math.floor(percent * 10) / 10).toFixed(percent < 10 ? 1 : 0) : '100'} %`;
}

/** Seconds since the run began: `+1.234 s`. */
export function momentText(ns: number): string {
  return `${(ns / 1e9).toFixed(3)} s`;
}

/** An offset within a block. */
export function offsetText(offset: number): string {
  return `0x${Math.round(offset).toString(16)}`;
}
