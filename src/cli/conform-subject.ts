// Reads from the command line what `postcopy conform` tests: role, rules, peers and their layout.

import type { PeerSource } from '../conformance/peer.ts';
import type { Role, Rule } from '../conformance/rule.ts';
import { rulesOf } from '../conformance/rules.ts';
import { runningPeer, spawnedPeers } from '../conformance/spawn-peer.ts';
import type { LayoutBlock, Subject } from '../conformance/subject.ts';
import { MigrationError, OptionError } from '../errors.ts';
import { PROFILES, type Profile } from '../protocol/profile.ts';
import { forwardStreams } from '../recording/recording-reader.ts';
import { readGuest } from '../replay/read-guest.ts';
import { readMachine } from '../replay/read-machine.ts';
import { parseUri } from '../transport/uri.ts';
import { type Arguments, badValue, parsePageSize, parseSize } from './option-table.ts';
import { readingOf, recordedPieces } from './source-guest.ts';

const ROLES = ['destination', 'source'] as const;
const SCHEMES = ['unix', 'tcp'] as const;

/** The role under test. @throws OptionError */
export function parseRole({ positionals }: Arguments): Role {
  const [first, surplus] = positionals;
  if (surplus !== undefined) throw new OptionError('bad-option', `unexpected argument '${surplus}'`);
  const role = ROLES.find((name) => name === first);
  if (role !== undefined) return role;
  throw new OptionError('missing-option', `expected destination or source, found ${first ?? 'neither'}`);
}

/** The rules that are to be run. @throws OptionError `unknown-rule` */
export function chosenRules(args: Arguments, role: Role): readonly Rule[] {
  const rules = rulesOf(role);
  const ids = args.texts('rule');
  for (const id of ids) {
    if (rules.some((rule) => rule.id === id)) continue;
    throw new OptionError('unknown-rule', `expected a rule of the ${role}, found '${id}': see --list`);
  }
  return ids.length === 0 ? rules : rules.filter((rule) => ids.includes(rule.id));
}

/** Where the peers come from, and what the command line said about it. @throws OptionError */
export function parsePeers(args: Arguments, role: Role): { peers: PeerSource; told: string } {
  const running = role === 'destination' ? 'to' : 'listen';
  args.refuse([role === 'destination' ? 'listen' : 'to'], `on a ${role} under test`);
  const command = args.text('spawn');
  const uri = args.text(running);
  if ((command === undefined) === (uri === undefined)) {
    throw new OptionError(
      'missing-option',
      `expected either --spawn 'COMMAND with {uri}' or --${running} URI`,
    );
  }
  if (uri !== undefined) {
    args.refuse(['variant', 'uri-scheme', 'jobs'], `with --${running}`);
    return { peers: runningPeer(parseUri(uri)), told: uri };
  }
  const variants = new Map(args.texts('variant').map(parseVariant));
  return { peers: spawnedPeers(command!, variants, args.choice('uri-scheme', SCHEMES)), told: command! };
}

function parseVariant(text: string): [name: string, command: string] {
  const match = /^([a-z][a-z0-9-]*)=(.+)$/s.exec(text);
  if (match === null) throw badValue('variant', 'NAME=COMMAND', text);
  return [match[1]!, match[2]!];
}

/** What is under test. @throws OptionError, MigrationError of a recording that cannot be read */
export async function parseSubject(args: Arguments, role: Role, peers: PeerSource): Promise<Subject> {
  const profile = args.choice('profile', PROFILES);
  const recording = args.text('device-state');
  if (role === 'source') args.refuse(['device-state', 'requests'], 'on a source under test');
  return {
    role,
    profile,
    machine: args.text('machine')!,
    blocks: parseLayout(args.text('blocks')!),
    recorded: recording === undefined ? undefined : await readRecorded(recording, profile),
    requests: args.has('requests'),
    timeoutMs: args.integer('timeout', 1),
    hasVariant: (variant) => peers.hasVariant(variant),
  };
}

/** The machine of a recording, and its RAM if the recording is whole. */
async function readRecorded(path: string, profile: Profile): Promise<NonNullable<Subject['recorded']>> {
  return await readingOf(path, async () => {
    const hasPreempt = forwardStreams(path).preempt !== undefined;
    try {
      return await readGuest(recordedPieces(path), { profile, hasPreempt });
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error;
      return { machine: await readMachine(recordedPieces(path), profile), ram: undefined };
    }
  });
}

/** Reads `NAME=SIZE:PAGE,…`. */
function parseLayout(text: string): LayoutBlock[] {
  const blocks = text.split(',').map((entry) => {
    const match = /^([^=]+)=([^:]+):(.+)$/.exec(entry);
    if (match === null) throw badValue('blocks', 'NAME=SIZE:PAGE,…', text);
    const [, name, size, page] = match;
    const lengthBytes = parseSize('blocks', size!);
    const hostPageBytes = parsePageSize('blocks', page!);
    if (lengthBytes > 0 && lengthBytes % hostPageBytes === 0)
      return { name: name!, lengthBytes, hostPageBytes };
    throw badValue('blocks', `a multiple of ${page} for ${name}`, size!);
  });
  const names = new Set(blocks.map(({ name }) => name));
  if (names.size === blocks.length) return blocks;
  throw badValue('blocks', 'each name once', text);
}
