// Runs the proxy of `postcopy dissect --listen` and `postcopy record`: options, Ctrl-C, what broke.
import { OptionError } from '../errors.ts';
import {
  MigrationProxy,
  type ProxiedConnection,
  type ProxyResult,
  type ProxyTap,
} from '../recording/proxy.ts';
import { listenForChannels } from '../transport/open.ts';
import { parseUri } from '../transport/uri.ts';
import type { Arguments, OptionTable } from './option-table.ts';

/** Options of a proxy. */
export const PROXY_OPTIONS = {
  listen: {
    value: 'URI',
    doc: 'stand between two peers: listen here for the source; port 0 takes a free one',
  },
  to: { value: 'URI', doc: 'where each connection goes on to: the destination' },
  'keep-listening': {
    doc: 'go on when all connections have ended, until Ctrl-C: for a migration that pauses and recovers',
  },
  timeout: { value: 'MS', doc: 'how long connecting on may take', default: '30000' },
} as const satisfies OptionTable;

/** What came of a proxy, and whether it was interrupted. */
export interface LiveResult extends ProxyResult {
  readonly isCancelled: boolean;
}

/** Passes connections on until all have ended. @throws OptionError, TransportError `cannot-listen` */
export async function runProxy(args: Arguments, makeTap: (uri: string) => ProxyTap): Promise<LiveResult> {
  const [listen, to] = [args.text('listen'), args.text('to')];
  if (listen === undefined || to === undefined) {
    throw new OptionError('missing-option', 'expected --listen URI and --to URI');
  }
  const [from, onTo] = [parseUri(listen), parseUri(to)];
  const timeoutMs = args.integer('timeout', 1);
  const listener = await listenForChannels(from);
  let proxy: MigrationProxy;
  try {
    const tap = makeTap(listener.uri);
    const keepsListening = args.has('keep-listening');
    proxy = new MigrationProxy({ listener, to: onTo, timeoutMs, tap, keepsListening });
  } catch (error) {
    listener.close();
    throw error;
  }
  process.send?.({ kind: 'listening', uri: listener.uri });
  process.stderr.write(`listening on ${listener.uri}\n`);
  let isCancelled = false;
  const stop = (): void => {
    isCancelled = true;
    proxy.stop();
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, stop);
  const result = await proxy.run();
  for (const signal of signals) process.off(signal, stop);
  for (const connection of result.connections) {
    if (connection.error !== undefined) process.stderr.write(`${brokenText(connection)}\n`);
  }
  return { ...result, isCancelled };
}

function brokenText({ conn, peer, error }: ProxiedConnection): string {
  return `c${conn} from ${peer}: ${error?.message} (${error?.code})`;
}
