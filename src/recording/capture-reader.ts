// Reads the migration out of a packet capture: finds its TCP connections and puts their bytes in order.
import { TransportError } from '../errors.ts';
import type { Direction } from '../protocol/dissection-entry.ts';
import type { CapturedPacket } from './captured-packet.ts';
import { ByteQueue, fileBytes } from './file-bytes.ts';
import { pcapFormat, pcapPackets } from './pcap-file.ts';
import { isPcapng, pcapngPackets } from './pcapng-file.ts';
import type { RecordedPiece } from './recorded-piece.ts';
import { TcpReassembly } from './tcp-reassembly.ts';
import { type Endpoint, type TcpSegment, tcpSegment } from './tcp-segment.ts';

/** How every fresh migration begins: "QEVM". */
const STREAM_MAGIC = [0x51, 0x45, 0x56, 0x4d] as const;

/** One TCP connection in the capture. */
interface Conversation {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** Its number as a connection of the migration; undefined until it is known to be one. */
  conn: number | undefined;
  readonly fwd: TcpReassembly;
  readonly ret: TcpReassembly;
  /** Why a direction cannot be told further. */
  readonly gaps: Map<Direction, TransportError>;
}

/** Whether a file that begins so is a packet capture. */
export function isCapture(magic: Uint8Array): boolean {
  return magic.length >= 4 && (pcapFormat(magic) !== undefined || isPcapng(magic));
}

/** The migration in a capture. */
class CaptureReader {
  readonly pieces: RecordedPiece[] = [];
  readonly #port: number | undefined;
  readonly #conversations = new Map<string, Conversation>();
  readonly #all: Conversation[] = [];
  readonly #destinations = new Set<Endpoint>();
  #connCount = 0;
  #tSeconds: number | undefined;
  #beganSeconds: number | undefined;

  constructor(port: number | undefined) {
    this.#port = port;
  }

  take(packet: CapturedPacket): void {
    const segment = tcpSegment(packet);
    if (segment === undefined) return;
    const conversation = this.#find(segment);
    if (conversation === undefined) return;
    this.#tSeconds = packet.tSeconds;
    const dir = segment.from === conversation.source ? 'fwd' : 'ret';
    const stream = conversation[dir];
    if (segment.isSyn) stream.begin(segment.sequence);
    // Data may come with SYN; its number is then one further.
    const sequence = segment.isSyn ? (segment.sequence + 1) % 2 ** 32 : segment.sequence;
    if (segment.payload.length > 0) stream.push(sequence, segment.payload);
    if (segment.cutBytes > 0) {
      this.#breakOff(
        conversation,
        dir,
        `the capture cut ${segment.cutBytes} bytes off a segment (tcpdump -s 0)`,
      );
    } else if (stream.isStuck) this.#loss(conversation, dir);
  }

  /** Tells of what is missing at the end. @throws TransportError `no-migration-in-capture` */
  finish(): void {
    for (const conversation of this.#all) {
      for (const dir of ['fwd', 'ret'] as const) {
        if (conversation[dir].missingBytes > 0) this.#loss(conversation, dir);
      }
    }
    if (this.#connCount > 0) return;
    const seen = this.#all.slice(0, 5).map(({ source, destination }) => `${source} to ${destination}`);
    const wanted = this.#port === undefined ? 'that begins with QEVM' : `to port ${this.#port}`;
    throw new TransportError(
      'no-migration-in-capture',
      `expected a TCP connection ${wanted}, found ${seen.length === 0 ? 'none at all' : seen.join(', ')}`,
    );
  }

  #loss(conversation: Conversation, dir: Direction): void {
    const { missingBytes, deliveredBytes } = conversation[dir];
    this.#breakOff(
      conversation,
      dir,
      `${missingBytes} bytes behind offset ${deliveredBytes} are not in the capture`,
    );
  }

  #breakOff(conversation: Conversation, dir: Direction, message: string): void {
    if (conversation.gaps.has(dir)) return;
    const gap = new TransportError('capture-gap', message);
    conversation.gaps.set(dir, gap);
    if (conversation.conn !== undefined) this.#add(conversation.conn, dir, new Uint8Array(0), gap);
  }

  #find(segment: TcpSegment): Conversation | undefined {
    const { from, to, isSyn, isAck, isReset, payload } = segment;
    const known = this.#conversations.get(`${from} ${to}`);
    const isFresh = isSyn && !isAck && known !== undefined && known.fwd.deliveredBytes > 0;
    if (known !== undefined && !isFresh) return known;
    if (isReset || (!isSyn && payload.length === 0)) return undefined; // nothing begins so
    const isAnswer = isSyn && isAck ? true : this.#isFromDestination(segment);
    return isAnswer ? this.#open(to, from) : this.#open(from, to);
  }

  /** For a connection whose SYN is not in the capture. */
  #isFromDestination({ from, fromPort, toPort, isSyn }: TcpSegment): boolean {
    if (isSyn) return false;
    if (this.#port !== undefined) return fromPort === this.#port && toPort !== this.#port;
    return this.#destinations.has(from);
  }

  #open(source: Endpoint, destination: Endpoint): Conversation {
    const conversation: Conversation = {
      source,
      destination,
      conn: undefined,
      fwd: new TcpReassembly((bytes) => this.#deliver(conversation, 'fwd', bytes)),
      ret: new TcpReassembly((bytes) => this.#deliver(conversation, 'ret', bytes)),
      gaps: new Map(),
    };
    this.#conversations.set(`${source} ${destination}`, conversation);
    this.#conversations.set(`${destination} ${source}`, conversation);
    this.#all.push(conversation);
    return conversation;
  }

  #deliver(conversation: Conversation, dir: Direction, bytes: Uint8Array): void {
    if (conversation.gaps.has(dir)) return;
    if (conversation.conn === undefined) {
      if (!this.#belongs(conversation, dir, bytes)) return;
      conversation.conn = this.#connCount;
      this.#connCount += 1;
      this.#destinations.add(conversation.destination);
    }
    this.#add(conversation.conn, dir, bytes.slice());
  }

  /** A connection belongs to the migration by its port, by how it begins, or by where another of its kind went. */
  #belongs({ destination }: Conversation, dir: Direction, bytes: Uint8Array): boolean {
    if (this.#port !== undefined) return destination.endsWith(`:${this.#port}`);
    if (this.#destinations.has(destination)) return true;
    return dir === 'fwd' && STREAM_MAGIC.every((byte, at) => bytes[at] === byte);
  }

  #add(conn: number, dir: Direction, bytes: Uint8Array, gap?: TransportError): void {
    this.#beganSeconds ??= this.#tSeconds;
    const tSeconds = this.#tSeconds === undefined ? undefined : this.#tSeconds - (this.#beganSeconds ?? 0);
    this.pieces.push({ tSeconds, conn, dir, bytes, ...(gap === undefined ? {} : { gap }) });
  }
}

/**
 * The pieces of the migration in a packet capture, pcap or pcapng, plain or gzip, `-` for stdin. `port`: the
 * destination's port; without it, connections that begin with QEVM and others to the same address.
 *
 * @throws TransportError `cannot-read-recording`, `bad-capture`, `no-migration-in-capture`
 */
export async function* readCapture(
  path: string,
  port: number | undefined,
  bytes: AsyncGenerator<Uint8Array> = fileBytes(path),
): AsyncGenerator<RecordedPiece> {
  const input = new ByteQueue(bytes);
  try {
    const magic = await input.exactly(4);
    input.unread(magic);
    const packets = isPcapng(magic) ? pcapngPackets(input) : pcapPackets(input);
    const reader = new CaptureReader(port);
    for await (const packet of packets) {
      reader.take(packet);
      yield* reader.pieces.splice(0);
    }
    reader.finish();
    yield* reader.pieces.splice(0);
  } finally {
    await input.close();
  }
}
