// Starts peers by a command line, reads the JSON object that they may print, and leaves nothing of them behind.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { OptionError } from '../errors.ts';
import { type ChannelUri, formatUri } from '../transport/uri.ts';
import type { Peer, PeerEnd, PeerSource } from './peer.ts';

const PLACEHOLDER = '{uri}';
/** What a peer prints is kept up to so many characters. */
const STDOUT_LIMIT = 4 * 1024 * 1024;
const LAST_WORDS = 600;
/** A peer that was told to end has so long until it is killed. */
const GRACE_MS = 1500;

/** All that runs, so that nothing outlives the program. */
const groups = new Set<number>();
process.on('exit', () => {
  for (const pid of groups) signalGroup(pid, 'SIGKILL');
});

/** The command runs in a process group of its own: what it started in turn ends with it. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended already.
  }
}

/** A peer that was started by a command. */
class SpawnedPeer implements Peer {
  readonly ended: Promise<PeerEnd>;
  hasEnded = false;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #stdout = '';
  #stderr = '';
  #wasStopped = false;

  constructor(command: string, uri: ChannelUri) {
    // The loader hooks of a test runner are not for the peer.
    const { NODE_OPTIONS: _, ...env } = process.env;
    const text = command.replaceAll(PLACEHOLDER, formatUri(uri));
    this.#child = spawn('/bin/sh', ['-c', text], { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env });
    this.ended = this.#watch();
  }

  async stop(): Promise<PeerEnd> {
    const { pid } = this.#child;
    if (pid !== undefined && !this.hasEnded) {
      this.#wasStopped = true;
      signalGroup(pid, 'SIGTERM');
      const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), GRACE_MS);
      await this.ended;
      clearTimeout(timer);
    }
    return await this.ended;
  }

  async #watch(): Promise<PeerEnd> {
    const { pid, stdout, stderr } = this.#child;
    if (pid !== undefined) groups.add(pid);
    stdout.setEncoding('utf8').on('data', (piece: string) => {
      if (this.#stdout.length < STDOUT_LIMIT) this.#stdout += piece;
    });
    stderr.setEncoding('utf8').on('data', (piece: string) => {
      this.#stderr = (this.#stderr + piece).slice(-LAST_WORDS);
    });
    const closed = once(this.#child, 'close') as Promise<[number | null]>;
    const [exitCode] = (await once(this.#child, 'exit')) as [number | null];
    // What the command started may hold its output open, and must not outlive it.
    if (pid !== undefined) signalGroup(pid, 'SIGKILL');
    await closed;
    if (pid !== undefined) groups.delete(pid);
    this.hasEnded = true;
    return {
      exitCode: this.#wasStopped ? undefined : exitCode,
      ...toldBy(this.#stdout),
      lastWords: this.#stderr.trim(),
    };
  }
}

/** What a peer told by the last JSON object on its stdout; other output is no error. */
function toldBy(stdout: string): Pick<PeerEnd, 'status' | 'ramSha256' | 'guestRuns'> {
  const told = lastObject(stdout);
  const status = typeof told?.['status'] === 'string' ? told['status'] : undefined;
  const hashes = told?.['ramSha256'];
  const isRecord = typeof hashes === 'object' && hashes !== null && !Array.isArray(hashes);
  const entries = isRecord ? Object.entries(hashes).filter(([, hash]) => typeof hash === 'string') : [];
  const ramSha256 = entries.length === 0 ? undefined : Object.fromEntries(entries);
  return { status, ramSha256, guestRuns: guestRuns(told ?? {}) };
}

/** `runState` in QEMU's words, or what our source tells of a guest that stayed. */
function guestRuns({ runState, guestAtSource }: Record<string, unknown>): boolean | undefined {
  if (typeof runState === 'string') return runState === 'running';
  return guestAtSource === undefined ? undefined : guestAtSource !== null;
}

/** The object that begins at the beginning of a line and goes up to the end. */
function lastObject(stdout: string): Record<string, unknown> | undefined {
  for (const { index } of [...stdout.matchAll(/^\{/gm)].reverse()) {
    try {
      return JSON.parse(stdout.slice(index)) as Record<string, unknown>;
    } catch {
      // It began earlier, or was no JSON.
    }
  }
  return undefined;
}

/**
 * Peers by command lines that hold `{uri}`. `variants` are other commands by their names.
 * @throws OptionError `missing-uri`
 */
export function spawnedPeers(
  command: string,
  variants: ReadonlyMap<string, string>,
  scheme: PeerSource['scheme'],
): PeerSource {
  for (const each of [command, ...variants.values()]) {
    if (each.includes(PLACEHOLDER)) continue;
    throw new OptionError('missing-uri', `expected ${PLACEHOLDER} in the command, found '${each}'`);
  }
  return {
    fixedUri: undefined,
    scheme,
    hasVariant: (variant) => variants.has(variant),
    start: (uri, variant) => new SpawnedPeer(variant === undefined ? command : variants.get(variant)!, uri),
  };
}

/** A peer that runs already, at `uri`: nothing can be said about how it ends. */
export function runningPeer(uri: ChannelUri): PeerSource {
  const end: PeerEnd = {
    exitCode: undefined,
    status: undefined,
    ramSha256: undefined,
    guestRuns: undefined,
    lastWords: '',
  };
  return {
    fixedUri: uri,
    scheme: 'unix',
    hasVariant: () => false,
    start: () => ({
      ended: new Promise(() => undefined),
      hasEnded: false,
      isForeign: true,
      stop: () => Promise.resolve(end),
    }),
  };
}
