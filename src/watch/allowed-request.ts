// Tells whether a request may be answered: pages of other origins must not look at a migration, nor steer it.
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

/** The name in a Host header, without port and brackets. */
function nameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '');
}

/**
 * Why a request is refused; undefined if it is not. A name that somebody else lets point here is not answered to, which
 * would make his page one of our origin; addresses cannot be used for that. Who sends no Origin is a program.
 */
export function refusalOf({ headers }: IncomingMessage, listensOn: string): string | undefined {
  const { host, origin } = headers;
  if (host === undefined) return 'there is no Host';
  const name = nameOf(host);
  const isOurs = isIP(name) !== 0 || ['localhost', listensOn, hostname().toLowerCase()].includes(name);
  if (!isOurs) return `the Host '${name.slice(0, 100)}' is none of ours`;
  if (origin === undefined) return undefined;
  const from = URL.canParse(origin) ? new URL(origin).host : '';
  return from === host.toLowerCase() ? undefined : 'it is from a page of another origin';
}
