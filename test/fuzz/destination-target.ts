// Fuzz target of the destination's core: both channels, a loader that works early or late, and vCPUs that fault.
import fc from 'fast-check';
import type { MigrationError } from '../../src/errors.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { PROFILES } from '../../src/protocol/profile.ts';
import { RamRecordDecoder } from '../../src/protocol/ram-record-decoder.ts';
import { type BaseStream, capturedStreams, HOST_PAGE_LAYOUTS, smallStreams } from './base-streams.ts';
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
import { WatchedDestination, type WatchedOptions } from './watched-destination.ts';

/** What happens, in the order of the events; behind them all that is left comes, and both channels end. */
const EVENTS = ['main', 'preempt', 'load', 'claim'] as const;

const SCRIPTED_LAYOUT = [
  { name: 'pc.ram', lengthBytes: 65_536, hostPageBytes: 16_384, kind: 'system' },
  { name: 'vga.vram', lengthBytes: 16_384, hostPageBytes: 4096, kind: 'device' },
] as const;

/** Bits 0-1 profile, 2 preempt, 3 negotiate, 4 unknown devices, 5-6 host pages, 7 a given layout, 8 loads at once. */
function optionsOf(options: number): WatchedOptions {
  const bit = (index: number) => (options >> index) % 2 === 1;
  const hostPages = HOST_PAGE_LAYOUTS[((options >> 5) % 4) % HOST_PAGE_LAYOUTS.length]!;
  return {
    profile: PROFILES[(options % 4) % PROFILES.length]!,
    preempt: bit(2),
    collapseNs: 0,
    negotiate: bit(3),
    acceptsUnknownDevices: bit(4),
    hostPages: bit(7) ? { ...hostPages, layout: SCRIPTED_LAYOUT } : hostPages,
    loadsAtOnce: bit(8),
  };
}

/** Drives a destination as its thread does; `cut` tells how the bytes of an event come in pieces. */
class Drive {
  readonly destination: WatchedDestination;
  error: MigrationError | undefined;
  isLoader = false;
  readonly #input: FuzzInput;
  readonly #cut: (start: number, end: number) => readonly number[];
  readonly #ends = [0, 0];
  readonly #preemptModel: RamRecordDecoder;

  constructor(input: FuzzInput, cut: (start: number, end: number) => readonly number[]) {
    this.#input = input;
    this.#cut = cut;
    this.destination = new WatchedDestination(optionsOf(input.options));
    this.#preemptModel = this.#modelPreempt();
  }

  /** The core's own sink of that channel is private: the same decoder tells the model what the core has taken. */
  #modelPreempt(): RamRecordDecoder {
    const sink = () => this.destination.migration.model!.preempt;
    return new RamRecordDecoder({
      selectBlock: (name) => sink().selectBlock(name),
      page: (offset) => sink().page(offset),
      pageBytes: (bytes, start, end, at) => sink().pageBytes(bytes, start, end, at),
      zeroPage: (offset, fill) => sink().zeroPage(offset, fill),
      ramList: () => undefined,
      endOfPayload: () => undefined,
      pageSizeField: () => ({ field: 'absent', summary: 0 }),
    });
  }

  run(): void {
    this.error = codedErrorOf(() => {
      for (const event of this.#input.events) this.#perform(event);
      this.#push(0, Number.POSITIVE_INFINITY);
      this.#load();
      this.#push(1, Number.POSITIVE_INFINITY);
      this.#load();
      if (this.destination.migration.isComplete) return;
      this.destination.migration.end();
      if (optionsOf(this.#input.options).preempt) this.destination.migration.endPreempt();
    });
  }

  #perform({ kind, value }: FuzzEvent): void {
    switch (EVENTS[kind % EVENTS.length]!) {
      case 'main':
        this.#push(0, value);
        return;
      case 'preempt':
        this.#push(1, value);
        return;
      case 'load':
        this.#load();
        return;
      case 'claim':
        this.destination.claim(value);
        return;
    }
  }

  #load(): void {
    this.isLoader = true;
    this.destination.load();
    this.isLoader = false;
  }

  #push(which: 0 | 1, upTo: number): void {
    const { migration } = this.destination;
    const bytes = this.#input.streams[which];
    if (which === 1 && !optionsOf(this.#input.options).preempt) return;
    for (const end of this.#cut(this.#ends[which]!, Math.min(upTo, bytes.length))) {
      if (migration.isComplete) return;
      const start = this.#ends[which]!;
      if (which === 0) migration.push(bytes, start, end);
      else this.#pushPreempt(bytes, start, end);
      this.#ends[which] = end;
    }
  }

  #pushPreempt(bytes: Uint8Array, start: number, end: number): void {
    const error = codedErrorOf(() => this.destination.migration.pushPreempt(bytes, start, end));
    const taken = error?.stream === 'preempt' && error.offset !== undefined ? error.offset : end;
    if (!this.#preemptModel.ended && taken > start) this.#preemptModel.consume(bytes, start, taken, start);
    if (error !== undefined) throw error;
  }

  /** All that must hold when it is over, whatever came. */
  holdAtEnd(): void {
    const { destination, error } = this;
    const { migration } = destination;
    if (error !== undefined) {
      const [main, preempt] = this.#input.streams;
      // What is found out when the guest runs, or when the last of both channels has come, has no place of its own.
      if (!(this.isLoader || error.code === 'page-missing'))
        holdLocated(error, { main: main.length, package: main.length, preempt: preempt.length });
      hold(error.code !== 'out-of-range', 'inside RAM', () => errorLine(error));
      if (!migration.isComplete) migration.fail();
      destination.holdDropped();
    }
    destination.holdAtEnd();
    const before = destination.snapshot();
    this.#goOn();
    holdSame('nothing after the end', before, destination.snapshot());
  }

  /** What may still arrive when the core has ended: the rest, all of it again, and the loader's answer. */
  #goOn(): void {
    const { migration } = this.destination;
    const [main, preempt] = this.#input.streams;
    for (const start of [this.#ends[0]!, 0]) codedErrorOf(() => migration.push(main, start, main.length));
    if (optionsOf(this.#input.options).preempt)
      codedErrorOf(() => migration.pushPreempt(preempt, 0, preempt.length));
    codedErrorOf(() => migration.onGuestRunning());
  }

  outcome(): string[] {
    return [errorLine(this.error), this.destination.cell.state, ...this.destination.snapshot()];
  }
}

function run(bytes: Uint8Array): void {
  const input = decodeInput(bytes);
  const whole = new Drive(input, (start, end) => (end > start ? [end] : []));
  const split = new Drive(input, (start, end) => cutPieces(start, end, input.splitSeed));
  const outcomes = [whole, split].map((drive) => {
    holdBounded(bytes.length, () => drive.run());
    const outcome = drive.outcome();
    drive.holdAtEnd();
    return outcome;
  });
  holdSame('any split ends the same', outcomes[0]!, outcomes[1]!);
}

function describe(bytes: Uint8Array): string[] {
  const input = decodeInput(bytes);
  const { hostPages, ...options } = optionsOf(input.options);
  const drive = new Drive(input, (start, end) => (end > start ? [end] : []));
  const crash = failureText(() => drive.run());
  const events = input.events.map(({ kind, value }) => `${EVENTS[kind % EVENTS.length]} ${value}`);
  const [main, preempt] = input.streams.map((stream, index) => {
    const channel = openChannel(stream, {
      channel: index === 0 ? 'main' : 'preempt',
      profile: '10.x',
      extension: true,
    });
    failureText(() => channel.push(stream, 0, stream.length));
    return channel.trace.map((line) => `  ${line}`);
  });
  return [
    `${JSON.stringify(options)}, host pages ${hostPages.defaultBytes}, cuts of seed ${input.splitSeed}`,
    `events: ${events.join(', ')}`,
    `main, ${input.streams[0].length} bytes:`,
    ...main!,
    `preempt, ${input.streams[1].length} bytes:`,
    ...preempt!,
    `ends: ${crash ?? errorLine(drive.error)}`,
  ];
}

function failureText(action: () => void): string | undefined {
  try {
    action();
  } catch (error) {
    return String(error);
  }
  return undefined;
}

/** Where an event of the preempt channel belongs: behind the package, that it may be taken. */
function schedule(base: BaseStream, events: readonly FuzzEvent[], lengthBytes: number): FuzzEvent[] {
  let packageEnd = 0;
  let at = 0;
  for (const { name, bytes } of base.main) {
    at += bytes.length;
    if (name === 'PACKAGE') packageEnd = at;
  }
  const behind = { kind: 0, value: packageEnd };
  const scaled = events.map(({ kind, value }) =>
    kind % 4 === 0
      ? { kind: 0, value: packageEnd + (value % Math.max(1, lengthBytes - packageEnd)) }
      : { kind, value },
  );
  return packageEnd === 0 ? [...events] : [behind, { kind: 2, value: 0 }, ...scaled];
}

/** One case in so many is a captured stream: they are long. */
const CAPTURED_SHARE = 1 / 500;

/** The destination's core, fed damaged migrations. */
export function destinationTarget(): FuzzTarget {
  const small = smallStreams();
  const captured = capturedStreams();
  const pool = small.flatMap(({ main, preempt }) => [...main, ...preempt]);
  const event = fc.record({ kind: fc.nat(3), value: fc.nat(0x1ffff) });
  const inputs = fc
    .record({
      options: fc.nat(0x1ff),
      isFitting: fc.nat(9).map((tenth) => tenth > 0),
      base: fc.nat(0xffff),
      isCaptured: fc.nat(Math.round(1 / CAPTURED_SHARE) - 1).map((index) => index === 1),
      list: damages,
      preemptList: damages,
      events: fc.array(event, { maxLength: 12 }),
      isEarly: fc.nat(3).map((quarter) => quarter === 1),
      splitSeed: fc.nat(255),
    })
    .map((genes) => {
      const bases = genes.isCaptured ? captured : small;
      const base = bases[genes.base % bases.length]!;
      const records = damage(base.main, genes.list, pool);
      const preemptRecords = damage(base.preempt, base.preempt.length > 0 ? genes.preemptList : [], pool);
      const main = joinBytes(records.map(({ bytes }) => bytes));
      const preempt = joinBytes(preemptRecords.map(({ bytes }) => bytes));
      const events = genes.isEarly ? genes.events : schedule(base, genes.events, main.length);
      const options = genes.isFitting ? fitting(genes.options, base, genes.isCaptured) : genes.options;
      return encodeInput({ options, splitSeed: genes.splitSeed, events, streams: [main, preempt] });
    });
  return { name: 'destination', inputs, run, describe };
}

/** Options with which the undamaged stream is taken to its end. */
function fitting(options: number, base: BaseStream, isCaptured: boolean): number {
  const hasLayout = (options >> 7) % 2 === 1 && base.name.startsWith('scripted');
  const free = options & 0b1_0000_0011;
  const preempt = base.preempt.length > 0 ? 4 : 0;
  return free | preempt | 8 | (isCaptured ? 16 : 0) | (base.hostPages << 5) | (hasLayout ? 128 : 0);
}
