// Tells whether a request may be answered: pages of other origins must not look at a migration, nor steer it.
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

/** The name in a Host header, without port and brackets. */
function nameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '');
}

/**
 * Why a request is refused; undefined if it is not. A page under a name that somebody else lets point here is not answered
 * to, for it would be one of our origin; addresses cannot be used for that. Who sends no Origin is a program, or loads
 * a page: on a network programs may know us by names that we do not.
 */
export function refusalOf({ headers }: IncomingMessage, listensOn: string): string | undefined {
  const { host, origin } = headers;
  if (host === undefined) return 'there is no Host';
  const name = nameOf(host);
  const isOurs = isIP(name) !== 0 || ['localhost', listensOn, hostname().toLowerCase()].includes(name);
  const mayBeKnownAs = origin === undefined && !LOOPBACK.includes(listensOn);
  if (!isOurs && !mayBeKnownAs) return `the Host '${name.slice(0, 100)}' is none of ours`;
  if (origin === undefined) return undefined;
  const from = URL.canParse(origin) ? new URL(origin).host : '';
  return from === host.toLowerCase() ? undefined : 'it is from a page of another origin';
}
