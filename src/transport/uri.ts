// Parses the URIs that name where a migration goes, in QEMU's form.
import { OptionError } from '../errors.ts';

/** Where a migration goes or comes from. */
export type ChannelUri =
  | { readonly scheme: 'tcp'; readonly host: string; readonly port: number }
  | { readonly scheme: 'unix'; readonly path: string }
  | { readonly scheme: 'ws'; readonly host: string; readonly port: number; readonly path: string };

const PORT_LIMIT = 65_535;

function bad(text: string): never {
  throw new OptionError(
    'bad-uri',
    `expected tcp:HOST:PORT, unix:PATH or ws://HOST:PORT/PATH, found '${text}'`,
  );
}

/** Reads a URI. @throws OptionError `bad-uri` */
export function parseUri(text: string): ChannelUri {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    return path === '' ? bad(text) : { scheme: 'unix', path };
  }
  const match = /^(tcp:|ws:\/\/)(\[[0-9a-fA-F:.]+\]|[^:/[\]]*):(\d{1,5})(\/.*)?$/.exec(text);
  if (match === null) return bad(text);
  const [, prefix, hostText = '', portText, path] = match;
  const port = Number(portText);
  const host = hostText.replace(/^\[|\]$/g, '');
  if (port > PORT_LIMIT) return bad(text);
  if (prefix === 'tcp:') return path === undefined ? { scheme: 'tcp', host, port } : bad(text);
  return { scheme: 'ws', host, port, path: path ?? '/' };
}

/** Writes a URI; `port` replaces its own, for a listener that was given port 0. */
export function formatUri(uri: ChannelUri, port?: number): string {
  if (uri.scheme === 'unix') return `unix:${uri.path}`;
  const host = uri.host.includes(':') ? `[${uri.host}]` : uri.host;
  const authority = `${host}:${port ?? uri.port}`;
  return uri.scheme === 'tcp' ? `tcp:${authority}` : `ws://${authority}${uri.path}`;
}
