// Fuzz target of the decoders: main channel, package, preempt channel and return path.
import fc from 'fast-check';
import { joinBytes } from '../../src/protocol/message.ts';
import { PROFILES } from '../../src/protocol/profile.ts';
import { capturedHeads, returnPaths, smallStreams } from './base-streams.ts';
import { type CutRecord, cutPackage } from './cut-records.ts';
import { damage, damages } from './damage.ts';
import { CHANNELS, type ChannelOptions, openChannel } from './decoder-channels.ts';
import { cutPieces, decodeInput, encodeInput } from './fuzz-input.ts';
import {
  codedErrorOf,
  errorLine,
  type FuzzTarget,
  hold,
  holdBounded,
  holdLocated,
  holdSame,
} from './fuzz-target.ts';

/** Options: bits 0-1 the profile, 2-3 the channel, 4 the extension. The input is both streams, one behind the other. */
function caseOf(input: Uint8Array): { how: ChannelOptions; bytes: Uint8Array; splitSeed: number } {
  const { options, streams, splitSeed } = decodeInput(input);
  const how = {
    profile: PROFILES[(options % 4) % PROFILES.length]!,
    channel: CHANNELS[(options >> 2) % 4]!,
    extension: (options >> 4) % 2 === 1,
  };
  return { how, bytes: joinBytes(streams), splitSeed };
}

/** Decodes input that comes in pieces; returns all that came of it, and holds what must hold of any run. */
function decode(bytes: Uint8Array, how: ChannelOptions, ends: readonly number[]): string[] {
  const channel = openChannel(bytes, how);
  const refused = codedErrorOf(() => {
    let start = 0;
    for (const end of ends) {
      channel.push(bytes, start, end);
      start = end;
    }
  });
  const error = refused ?? codedErrorOf(() => channel.end());
  const outcome = [...channel.trace, errorLine(error)];
  if (error === undefined) return outcome;
  // The preempt channel's decoder leaves it to its owner to say where, and to stop; see `PreemptIntake`.
  if (how.channel === 'preempt') return outcome;
  holdLocated(error, { [how.channel]: bytes.length });
  if (refused === undefined) return outcome;
  const { length } = channel.trace;
  const again = codedErrorOf(() => channel.push(bytes, 0, bytes.length));
  hold(channel.trace.length === length, 'nothing after an error', () => `found ${channel.trace.at(-1)}`);
  hold(again === error, 'nothing after an error', () => `${errorLine(error)}, then ${errorLine(again)}`);
  return outcome;
}

function run(input: Uint8Array): void {
  const { how, bytes, splitSeed } = caseOf(input);
  holdBounded(bytes.length, () => {
    const whole = decode(bytes, how, [bytes.length]);
    holdSame('any split decodes the same', whole, decode(bytes, how, cutPieces(0, bytes.length, splitSeed)));
  });
}

function describe(input: Uint8Array): string[] {
  const { how, bytes, splitSeed } = caseOf(input);
  const channel = openChannel(bytes, how);
  let end = 'no error';
  try {
    channel.push(bytes, 0, bytes.length);
    channel.end();
  } catch (error) {
    end = String(error);
  }
  const head = `${JSON.stringify(how)}, ${bytes.length} bytes, cuts of seed ${splitSeed}`;
  return [head, ...channel.trace, end];
}

/** Records of each channel, which also serve each other's as what may be put in. */
function recordsByChannel(): Readonly<Record<string, readonly (readonly CutRecord[])[]>> {
  const streams = [...smallStreams(), ...capturedHeads()];
  const packages = streams.flatMap(({ main }) => main.filter(({ name }) => name === 'PACKAGE'));
  return {
    main: streams.map(({ main }) => main),
    package: packages.map(({ bytes }) => cutPackage(bytes)),
    preempt: streams.map(({ preempt }) => preempt).filter(({ length }) => length > 0),
    'return path': returnPaths(),
  };
}

/** The decoders, fed damaged streams. */
export function decoderTarget(): FuzzTarget {
  const bases = recordsByChannel();
  const pool = Object.values(bases).flat(2);
  const inputs = fc
    .record({
      profile: fc.nat(2),
      channel: fc.nat(3),
      extension: fc.nat(1),
      base: fc.nat(0xffff),
      list: damages,
      splitSeed: fc.nat(255),
    })
    .map(({ profile, channel, extension, base, list, splitSeed }) => {
      const choice = bases[CHANNELS[channel]!]!;
      const records = damage(choice[base % choice.length]!, list, pool);
      const bytes = joinBytes(records.map((record) => record.bytes));
      const options = profile + 4 * channel + 16 * extension;
      return encodeInput({ options, splitSeed, events: [], streams: [bytes, new Uint8Array(0)] });
    });
  return { name: 'decoder', inputs, run, describe };
}
