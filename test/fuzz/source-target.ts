// Fuzz target of the source's core: a return path that says anything at any step, and a guest that writes meanwhile.
import fc from 'fast-check';
import { MigrationError } from '../../src/errors.ts';
import { type RamBlockSpec, RamImage } from '../../src/machine/ram-block.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { NEGOTIATION_COOKIE } from '../../src/protocol/negotiation-messages.ts';
import { PROFILES } from '../../src/protocol/profile.ts';
import { ReturnPathDecoder } from '../../src/protocol/return-path-decoder.ts';
import { encodeReturnPath as reply } from '../../src/protocol/return-path-messages.ts';
import type { OutgoingOptions } from '../../src/source/outgoing.ts';
import type { OutgoingStep } from '../../src/source/outgoing-stream.ts';
import { PUSH_NAMES } from '../../src/source/push/strategies.ts';
import { guestDevices } from '../adversary/recorded-migration.ts';
import { returnPaths } from './base-streams.ts';
import { type CutRecord, cutReturnPath } from './cut-records.ts';
import { damage, damages } from './damage.ts';
import { openChannel } from './decoder-channels.ts';
import { cutPieces, decodeInput, encodeInput, type FuzzEvent, type FuzzInput } from './fuzz-input.ts';
import {
  codedErrorOf,
  errorLine,
  type FuzzTarget,
  hold,
  holdBounded,
  holdLocated,
  holdSame,
} from './fuzz-target.ts';
import { SentStream, WatchedOutgoing } from './watched-source.ts';

/** What happens between two steps; the value's upper eight bits say how many steps later than the event before. */
const EVENTS = ['answer', 'write', 'cancel', 'close'] as const;

const K = 1024;
/** A guest that fits a batch, one that takes several, and one whose pages are all larger. */
const GUESTS: readonly (readonly RamBlockSpec[])[] = [
  [
    { name: 'pc.ram', lengthBytes: 64 * K, hostPageBytes: 16 * K, kind: 'system' },
    { name: 'vga.vram', lengthBytes: 16 * K, hostPageBytes: 4 * K, kind: 'device' },
  ],
  [
    { name: 'pc.ram', lengthBytes: 1536 * K, hostPageBytes: 4 * K, kind: 'system' },
    { name: 'vga.vram', lengthBytes: 16 * K, hostPageBytes: 4 * K, kind: 'device' },
  ],
];

/** Strategies of the push; `recorded` of a few pages, in no order. */
const STRATEGIES = PUSH_NAMES.map((name) => name.replace('N', '3'));
const FAULTS = [9, 3, 12, 3, 0].map((page) => ({ block: 'pc.ram', start: page * 4 * K, length: 4 * K }));

/** Bits 0-1 profile, 2 postcopy, 3 negotiate, 4-5 when postcopy begins, 6 a large guest, 7 a hash MMU, 8-11 what is pushed. */
function optionsOf(options: number): {
  core: OutgoingOptions;
  profile: (typeof PROFILES)[number];
  guest: number;
} {
  const bit = (index: number) => (options >> index) % 2 === 1;
  const begins = (options >> 4) % 4;
  return {
    profile: PROFILES[(options % 4) % PROFILES.length]!,
    guest: (options >> 6) % 2,
    core: {
      machine: 'none',
      postcopyRam: bit(2),
      negotiate: bit(3),
      postcopyAfter: begins < 2 ? { kind: 'immediately' } : { kind: 'passes', count: begins - 1 },
      downtimeLimitNs: bit(2) ? 0 : 1e12,
      guest: { mmu: bit(7) ? 'hash' : 'radix', guestPageBytes: 4096 },
      push: { strategy: STRATEGIES[((options >> 8) % 16) % STRATEGIES.length]!, faults: FAULTS },
      preempt: 'none',
      breaksHugePages: true,
      flight: 'unbounded',
    },
  };
}

const images = new Map<number, RamImage>();

/** The guest's RAM as it is before each case: one page in five is zero. */
function imageOf(guest: number): RamImage {
  const image = images.get(guest) ?? RamImage.allocate(GUESTS[guest]!, 'present');
  images.set(guest, image);
  for (const block of image.blocks) {
    for (let page = 0; page < block.targetPageCount; page += 1) block.words(0)[1024 * page] = page % 5;
    for (const bits of [block.shared.dirty, block.shared.dirtyLog, block.shared.sent])
      new Uint8Array(bits).fill(0);
  }
  return image;
}

/** Drives a source as its thread does. */
class Drive {
  readonly migration: WatchedOutgoing;
  readonly sent: SentStream;
  error: MigrationError | undefined;
  readonly #input: FuzzInput;
  readonly #isSplit: boolean;
  readonly #image: RamImage;
  /** The first stream comes when the events say, the second when the core waits and nothing else is left. */
  readonly #answers: Uint8Array;
  readonly #returnPath: ReturnPathDecoder;
  readonly #events: FuzzEvent[];
  #answered = 0;
  #named: string | undefined;
  #stepsLeft = 0;
  #hasStopped = false;
  #isFromReturnPath = false;

  constructor(input: FuzzInput, isSplit: boolean) {
    this.#input = input;
    this.#isSplit = isSplit;
    const { core, profile, guest } = optionsOf(input.options);
    this.#image = imageOf(guest);
    this.#answers = joinBytes(input.streams);
    this.migration = new WatchedOutgoing(this.#image, core);
    this.sent = new SentStream(this.#image, this.migration);
    this.#returnPath = new ReturnPathDecoder(
      (record) => {
        if (record.name === 'REQ_PAGES_ID') this.#named = record.block;
        this.migration.onReturnPath(record, 0);
        this.sent.owe(record, this.#named);
      },
      { profile },
    );
    this.#returnPath.extension = core.negotiate;
    this.#events = [...input.events];
    this.#stepsLeft = this.#waitOf(this.#events[0]);
  }

  #waitOf(event: FuzzEvent | undefined): number {
    return event === undefined ? 0 : event.value >> 16;
  }

  /** Runs the migration to whatever end; then nothing more may leave. */
  run(): void {
    let isStepSent = true;
    const steps = this.migration.run();
    let nowNs = 0;
    this.error = codedErrorOf(() => {
      for (let step = steps.next(nowNs); step.done !== true; step = steps.next(nowNs)) {
        nowNs += 1000;
        isStepSent = step.value.do !== 'send';
        if (this.#perform(step.value)) isStepSent = true;
        nowNs += step.value.do === 'send' ? step.value.lengthBytes : 0;
        this.#betweenSteps();
      }
    });
    if (this.error === undefined) {
      hold(this.migration.state === 'completed', 'ends completed', () => this.migration.state);
      this.sent.holdComplete();
      codedErrorOf(() => this.#answer(Number.POSITIVE_INFINITY));
      hold(this.migration.state === 'completed', 'completed for good', () => this.migration.state);
      return;
    }
    this.#leave(isStepSent);
  }

  /** As the thread does after an error: one more move, and a reason if the peer can read it. */
  #leave(isStepSent: boolean): void {
    const { migration, error } = this;
    if (this.#isFromReturnPath && error?.stream !== undefined)
      holdLocated(error, { 'return path': this.#answers.length });
    if (migration.state !== 'failed' && migration.state !== 'completed' && migration.state !== 'cancelled')
      migration.advance('error');
    const farewell = migration.farewell('bye', isStepSent);
    if (farewell === undefined || this.sent.isAtRest) return;
    this.sent.push(farewell);
    hold(this.sent.trace.at(-1)!.startsWith('REASON'), 'a reason can be read', () => this.sent.trace.at(-1)!);
  }

  #perform(step: OutgoingStep): boolean {
    if (step.do === 'send') {
      this.sent.push(joinBytes(step.pieces));
      return true;
    }
    if (step.do === 'stop-guest') {
      // A vCPU runs until it stops, so it may write behind the last sync of precopy.
      this.#write(4 * this.#input.splitSeed);
      this.#hasStopped = true;
      this.migration.devices = guestDevices(GUESTS[optionsOf(this.#input.options).guest]!);
      return true;
    }
    if (step.do === 'await-request') {
      if (this.#events.length > 0) this.#nextEvent();
      return true;
    }
    if (step.do !== 'await-return-path') throw new Error('no case asks for a preempt channel');
    while (!step.isHere()) {
      this.#stepsLeft = 0;
      if (this.#events.length > 0) this.#nextEvent();
      else if (this.#answered < this.#answers.length) this.#answer(Number.POSITIVE_INFINITY);
      else this.#close();
    }
    return true;
  }

  #betweenSteps(): void {
    while (this.#events.length > 0 && this.#stepsLeft === 0) this.#nextEvent();
    this.#stepsLeft = Math.max(0, this.#stepsLeft - 1);
  }

  #nextEvent(): void {
    const { kind, value } = this.#events.shift()!;
    this.#stepsLeft = this.#waitOf(this.#events[0]);
    switch (EVENTS[kind % EVENTS.length]!) {
      case 'answer':
        this.#answer(Math.min(value % 65_536, this.#input.streams[0].length - this.#answered));
        return;
      case 'write':
        this.#write(value % 65_536);
        return;
      case 'cancel':
        if (this.migration.hasGivenGuestAway) return;
        this.migration.advance('cancel');
        throw new MigrationError('cancelled', 'the migration was cancelled');
      case 'close':
        this.#close();
        return;
    }
  }

  #answer(byteCount: number): void {
    const bytes = this.#answers;
    const end = Math.min(bytes.length, this.#answered + Math.max(0, byteCount));
    const ends = this.#isSplit ? cutPieces(this.#answered, end, this.#input.splitSeed) : [end];
    this.#isFromReturnPath = true;
    for (const next of ends) {
      const start = this.#answered;
      this.#answered = next;
      this.#returnPath.push(bytes.subarray(start, next));
    }
    this.#isFromReturnPath = false;
  }

  #close(): void {
    this.#returnPath.end();
    const error = this.migration.onReturnPathEnd();
    if (error !== undefined) throw error;
    throw new MigrationError('closed', 'the return path has ended in order');
  }

  /** A vCPU writes to a page, as long as there is one that runs. */
  #write(index: number): void {
    if (this.#hasStopped) return;
    const block = this.#image.blocks[index % this.#image.blocks.length]!;
    const page = (index >> 2) % block.targetPageCount;
    block.words(0)[1024 * page] = index + 7;
    block.dirtyLog.set(page);
  }

  outcome(): string[] {
    const { state, counters, hasGivenGuestAway, requestCount } = this.migration;
    return [
      errorLine(this.error),
      `${state} ${hasGivenGuestAway} ${requestCount} ${JSON.stringify(counters)}`,
      ...this.migration.moves,
      ...this.sent.trace,
    ];
  }
}

function run(bytes: Uint8Array): void {
  const input = decodeInput(bytes);
  const outcomes = [false, true].map((isSplit) => {
    const drive = new Drive(input, isSplit);
    holdBounded(bytes.length, () => drive.run());
    return drive.outcome();
  });
  holdSame('any split ends the same', outcomes[0]!, outcomes[1]!);
}

function describe(bytes: Uint8Array): string[] {
  const input = decodeInput(bytes);
  const { core, profile, guest } = optionsOf(input.options);
  const answers = joinBytes(input.streams);
  const channel = openChannel(answers, { channel: 'return path', profile: '10.x', extension: true });
  const drive = new Drive(input, false);
  let end: string | undefined;
  try {
    drive.run();
  } catch (error) {
    end = String(error);
  }
  try {
    channel.push(answers, 0, answers.length);
  } catch (error) {
    channel.trace.concat(String(error));
  }
  const events = input.events.map(
    ({ kind, value }) => `${value >> 16} steps, ${EVENTS[kind % EVENTS.length]} ${value % 65_536}`,
  );
  return [
    `${JSON.stringify(core)}, profile ${profile}, guest ${guest}, cuts of seed ${input.splitSeed}`,
    `events: ${events.join('; ')}`,
    `return path, ${input.streams[0].length} bytes and ${input.streams[1].length} when they are awaited:`,
    ...channel.trace.map((line) => `  ${line}`),
    `ends: ${end ?? drive.outcome()[0]}`,
  ];
}

/** What a good destination says, with the requests of the case. */
function script(
  options: number,
  requests: readonly { block: number; page: number; count: number }[],
): { early: CutRecord[]; late: CutRecord[] } {
  const { core, guest } = optionsOf(options);
  const isAsked = core.negotiate && core.postcopyRam;
  const answers = [
    reply('HOST_PAGE', { block: '', hostPage: 16 * K, placementPage: 16 * K }),
    reply('HOST_PAGE', { block: 'vga.vram', hostPage: 4 * K, placementPage: 4 * K }),
  ];
  const asked = requests.map(({ block, page, count }) => {
    const { name, lengthBytes } = GUESTS[guest]![block]!;
    const start = (page * 16 * K) % lengthBytes;
    const length = Math.min(lengthBytes - start, count * 16 * K);
    return reply('REQ_PAGES_ID', { block: name, start, length });
  });
  const pong = (value: number) => reply('PONG', { value });
  const first = pong(isAsked ? NEGOTIATION_COOKIE : 1);
  const early = [...(isAsked ? answers : []), first, ...(core.postcopyRam ? asked : [])];
  const late = [...(core.postcopyRam ? [pong(2), pong(4), pong(3)] : []), reply('SHUT', { value: 0 })];
  return { early: cutReturnPath(joinBytes(early)), late: cutReturnPath(joinBytes(late)) };
}

/** How many bytes of a return path come before the first request: those are answers and may come early. */
function headBytes(records: readonly CutRecord[]): number {
  const first = records.findIndex(({ name }) => name === 'PONG');
  return joinBytes(records.slice(0, first + 1).map(({ bytes }) => bytes)).length;
}

/** A write after each step of the passes of precopy, or all would have been sent before postcopy. */
function writesInPasses(options: number): FuzzEvent[] {
  const { core } = optionsOf(options);
  if (core.postcopyAfter.kind !== 'passes' || !core.postcopyRam) return [];
  return [2, 1, 1, 1, 1, 1].map((wait, index) => ({ kind: 1, value: wait * 65_536 + 5 + 4 * index }));
}

/** The source's core, fed damaged return paths. */
export function sourceTarget(): FuzzTarget {
  const pool = returnPaths().flat();
  const request = fc.record({ block: fc.nat(1), page: fc.nat(0xff), count: fc.integer({ min: 0, max: 3 }) });
  const event = fc.record({
    kind: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3),
    wait: fc.nat(3),
    value: fc.nat(0x7f),
  });
  const inputs = fc
    .record({
      options: fc.nat(0xff),
      isPostcopy: fc.nat(4).map((fifth) => fifth > 0),
      requests: fc.array(request, { maxLength: 8 }),
      list: damages,
      isDamaged: fc.boolean(),
      lateList: damages,
      isLateDamaged: fc.nat(2).map((third) => third === 1),
      isTimely: fc.nat(4).map((fifth) => fifth > 0),
      events: fc.array(event, { maxLength: 20 }),
      splitSeed: fc.nat(255),
    })
    .map((genes) => {
      const options = genes.isPostcopy ? genes.options | 4 : genes.options;
      const { early, late } = script(options, genes.requests);
      const records = genes.isDamaged ? damage(early, genes.list, pool) : early;
      const lateRecords = genes.isLateDamaged ? damage(late, genes.lateList, pool) : late;
      const head = { kind: 0, value: 65_536 + headBytes(early) };
      // Most say nothing of the package before it has left: else little would be seen of postcopy.
      const writes = genes.isTimely ? writesInPasses(options) : [];
      const stepsToPages = genes.isTimely ? (writes.length === 0 ? 6 : 5) : 0;
      const later = genes.events.map(({ kind, wait, value }, index) => ({
        kind: index === 0 ? 0 : kind,
        value: (index === 0 ? stepsToPages : wait) * 65_536 + value,
      }));
      const events = [...writes, ...later];
      const answers = [...records, ...(genes.isTimely ? [] : lateRecords)].map(({ bytes }) => bytes);
      const awaited = (genes.isTimely ? lateRecords : []).map(({ bytes }) => bytes);
      const streams = [joinBytes(answers), joinBytes(awaited)] as const;
      return encodeInput({ options, splitSeed: genes.splitSeed, events: [head, ...events], streams });
    });
  return { name: 'source', inputs, run, describe };
}
