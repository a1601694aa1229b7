// Tells whether a request may have come from a page of another origin, which must not read or steer a migration.
import type { IncomingMessage } from 'node:http';

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/** The name in a Host header, without its port; in brackets if it is an IPv6 address. */
function nameOf(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}

/**
 * Whether a request is of a program, which sends no Origin, or of a page that was served from where it asks. With a
 * loopback address the Host must be one too: else any name whose owner lets it point here would do.
 */
export function isOwnOrigin({ headers }: IncomingMessage, listensOn: string): boolean {
  const { host, origin } = headers;
  if (host === undefined) return false;
  const isLoopback = LOOPBACK_NAMES.includes(listensOn) || listensOn === '::1';
  if (isLoopback && !LOOPBACK_NAMES.includes(nameOf(host))) return false;
  if (origin === undefined) return true;
  try {
    return new URL(origin).host === host.toLowerCase();
  } catch {
    return false; // `null`, of a page without an origin
  }
}
