// Performs a scenario: gives it a peer and an address, lets it play, and sees both ended.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Listener } from '../transport/channel.ts';
import { listenForChannels } from '../transport/open.ts';
import { type ChannelUri, parseUri } from '../transport/uri.ts';
import type { PeerSource } from './peer.ts';
import type { Run, Scenario } from './scenario.ts';
import { Stage } from './stage.ts';
import type { Subject } from './subject.ts';

/** Addresses for peers, in a directory that is removed at the end. */
export class Addresses {
  readonly #directory: string;
  #count = 0;

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'postcopy-conform-'));
  }

  /** An address that nobody uses. */
  async next({ fixedUri, scheme }: PeerSource): Promise<ChannelUri> {
    if (fixedUri !== undefined) return fixedUri;
    this.#count += 1;
    if (scheme === 'unix') return { scheme, path: join(this.#directory, `${this.#count}.sock`) };
    return { scheme, host: '127.0.0.1', port: await freePort() };
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Free a moment ago, which is all that can be known of a port that somebody else is to listen on. */
async function freePort(): Promise<number> {
  const server = createServer();
  return await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** What a run needs. */
export interface RunOptions {
  readonly subject: Subject;
  readonly peers: PeerSource;
  readonly addresses: Addresses;
  readonly signal: AbortSignal;
}

/** Performs a scenario once. @throws NoRun if the peer cannot be had */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Run> {
  const { subject, peers, addresses, signal } = options;
  const address = await addresses.next(peers);
  const listener: Listener | undefined =
    subject.role === 'source' ? await listenForChannels(address) : undefined;
  // A fixed port 0 becomes a real one by listening.
  const uri = listener === undefined ? address : parseUri(listener.uri);
  const peer = peers.start(uri, scenario.variant);
  const stage = new Stage({ subject, uri, peer, listener, signal });
  try {
    const stalledAt = await scenario.play(stage);
    const peerClosed = stage.channels[0]?.isClosed === true;
    for (const channel of stage.channels) channel.end();
    // Most peers end when their migration has; for another that is the end that they come to.
    if (peers.fixedUri === undefined) await stage.until(() => peer.hasEnded);
    stage.close();
    return { exchange: stage.exchange, end: await peer.stop(), stalledAt, peerClosed };
  } finally {
    stage.close();
    listener?.close();
    await peer.stop();
  }
}
