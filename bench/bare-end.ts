// One end of the yardstick: Node moving bytes over TCP as fast as it can, nothing parsed.
//
//   bare-end receive drop|land BYTES    bare-end send PORT BYTES
//
// `drop` reads into one buffer again and again; `land` reads into fresh memory, so that it pays what the kernel asks
// for a page that is touched for the first time, which a destination's RAM cannot avoid.
import { once } from 'node:events';
import { connect, createServer, Socket } from 'node:net';

const READ_BYTES = 256 * 1024;
/** As large as the batches of the source. */
const WRITE_BYTES = 256 * 1024;
const SEGMENT_BYTES = 2 ** 30;

function tell(values: object): void {
  process.stdout.write(`${JSON.stringify(values)}\n`);
}

function segmentsOf(lengthBytes: number): Uint8Array[] {
  const segments: Uint8Array[] = [];
  for (let at = 0; at < lengthBytes; at += SEGMENT_BYTES) {
    segments.push(new Uint8Array(new SharedArrayBuffer(Math.min(SEGMENT_BYTES, lengthBytes - at))));
  }
  return segments;
}

async function receive(lands: boolean, totalBytes: number): Promise<void> {
  const segments = lands ? segmentsOf(totalBytes) : [];
  const dropped = Buffer.allocUnsafeSlow(READ_BYTES);
  let received = 0;
  let startNs = 0n;
  /** Where the next bytes go. */
  const target = (): Uint8Array => {
    if (!lands || received >= totalBytes) return dropped;
    const segment = segments[Math.floor(received / SEGMENT_BYTES)]!;
    const at = received % SEGMENT_BYTES;
    return segment.subarray(at, Math.min(at + READ_BYTES, segment.length));
  };
  let end!: () => void;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
    server.close();
    // The same handover as in the product: `onread` is offered to the connecting side only.
    const holder = accepted as unknown as { _handle: { reading: boolean } | null };
    const handle = holder._handle!;
    holder._handle = null;
    handle.reading = false;
    const callback = (count: number): boolean => {
      if (received === 0) startNs = process.hrtime.bigint();
      received += count;
      if (received < totalBytes) return true;
      tell({ elapsedNs: Number(process.hrtime.bigint() - startNs), received });
      socket.end('.', end);
      return true;
    };
    const options = { handle, onread: { buffer: target, callback }, manualStart: true, pauseOnCreate: true };
    const socket = new Socket(options as object);
    socket.resume();
  });
  server.listen(0, '127.0.0.1', () => {
    process.stderr.write(`listening ${(server.address() as { port: number }).port}\n`);
  });
  await ended;
}

async function send(port: number, totalBytes: number): Promise<void> {
  const segments = segmentsOf(totalBytes);
  for (const segment of segments) {
    for (let at = 0; at < segment.length; at += 4096) segment[at] = 1;
  }
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const startNs = process.hrtime.bigint();
  for (const segment of segments) {
    for (let at = 0; at < segment.length; at += WRITE_BYTES) {
      await new Promise<void>((resolve) => {
        socket.write(segment.subarray(at, at + WRITE_BYTES), () => setImmediate(resolve));
      });
    }
  }
  await once(socket, 'data'); // all has arrived
  tell({ elapsedNs: Number(process.hrtime.bigint() - startNs) });
  socket.end();
}

const [role, what, bytes] = process.argv.slice(2);
if (role === 'receive') await receive(what === 'land', Number(bytes));
else if (role === 'send') await send(Number(what), Number(bytes));
else throw new RangeError(`expected receive or send, found ${role}`);
