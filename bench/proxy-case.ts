// Compares what the proxy passes on, untapped and tapped, with a bare Node proxy, in one run: prints the ratios.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DissectionSession } from '../src/analysis/dissection-session.ts';
import { entryWriter, LineOutput } from '../src/cli/dissection-text.ts';
import { PreemptDissector } from '../src/protocol/dissect-preempt.ts';
import { joinBytes } from '../src/protocol/message.ts';
import { encodeRecordHead, RAM_FLAG, TARGET_PAGE_BYTES } from '../src/protocol/ram-records.ts';
import { MigrationProxy, type ProxyTap } from '../src/recording/proxy.ts';
import { RecordingWriter } from '../src/recording/recording-writer.ts';
import { listenForChannels } from '../src/transport/open.ts';

const TOTAL_BYTES = Number(process.env['PROXY_BENCH_MIB'] ?? 1024) * 2 ** 20;
const ROUNDS = 5;
const RUN_PAGES = 64;

/** Sends page records as a preempt channel does, as fast as they are taken. */
function send(port: number): void {
  const name = joinBytes([encodeRecordHead(0, RAM_FLAG.PAGE, 'pc.ram'), new Uint8Array(TARGET_PAGE_BYTES)]);
  const next = joinBytes([encodeRecordHead(0, RAM_FLAG.PAGE, undefined), new Uint8Array(TARGET_PAGE_BYTES)]);
  const run = joinBytes(Array.from({ length: RUN_PAGES }, () => next));
  const socket = connect(port, '127.0.0.1', () => {
    let leftBytes = TOTAL_BYTES;
    socket.write(name);
    const turn = (): void => {
      while (leftBytes > 0) {
        leftBytes -= run.length;
        if (!socket.write(run)) return void socket.once('drain', turn);
      }
      socket.end();
    };
    turn();
  });
  socket.resume();
}

/** The destination: throws away, and tells how long that took from the first byte to the end, in ns. */
function receive(): void {
  const server = createServer((socket) => {
    let beganNs = 0n;
    socket.once('data', () => {
      beganNs = process.hrtime.bigint();
      socket.resume();
    });
    socket.on('end', () => {
      process.send!({ elapsedNs: Number(process.hrtime.bigint() - beganNs) });
      socket.end();
      server.close();
      process.disconnect();
    });
  });
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
}

type Start = (toPort: number) => Promise<{ port: number; close(): void }>;

/** What anybody would write: two pipes. */
const bare: Start = async (toPort) => {
  const server = createServer({ allowHalfOpen: true }, (from) => {
    const to = connect({ port: toPort, host: '127.0.0.1', allowHalfOpen: true });
    from.pipe(to).pipe(from);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
};

function proxied(makeTap: () => { tap: ProxyTap; close(): void }): Start {
  return async (port) => {
    const listener = await listenForChannels({ scheme: 'tcp', host: '127.0.0.1', port: 0 });
    const { tap, close } = makeTap();
    const to = { scheme: 'tcp', host: '127.0.0.1', port } as const;
    const proxy = new MigrationProxy({ listener, to, timeoutMs: 1000, tap, keepsListening: false });
    void proxy.run().then(({ tapError }) => {
      if (tapError !== undefined) throw tapError;
      close();
    });
    return { port: Number(listener.uri.split(':')[2]), close: () => proxy.stop() };
  };
}

const ignore = { open: () => undefined, append: () => undefined, end: () => undefined };
const CASES: Readonly<Record<string, Start>> = {
  'bare pipe': bare,
  'proxy, untapped': proxied(() => ({ tap: ignore, close: () => undefined })),
  'proxy, dissecting': proxied(() => {
    const dissector = new PreemptDissector({ entry: () => undefined, pageEnd: () => undefined });
    return {
      tap: { ...ignore, append: (_conn, dir, bytes) => void (dir === 'fwd' && dissector.push(bytes)) },
      close: () => undefined,
    };
  }),
  'proxy, printing': proxied(() => {
    const output = new LineOutput(createWriteStream('/dev/null'));
    const session = new DissectionSession(entryWriter(output, false), { profile: '10.x', preemptConns: [0] });
    return {
      tap: {
        ...ignore,
        append(conn, dir, bytes) {
          session.push(conn, dir, bytes, 0);
          return output.flush();
        },
      },
      close: () => undefined,
    };
  }),
  'proxy, recording': proxied(() => {
    const directory = mkdtempSync(join(tmpdir(), 'postcopy-proxy-bench-'));
    const writer = new RecordingWriter(join(directory, 'r'));
    return {
      tap: { ...ignore, open: (conn) => writer.open(conn), append: (...args) => writer.append(...args) },
      close: () => {
        writer.finish({});
        rmSync(directory, { recursive: true });
      },
    };
  }),
};

interface Figures {
  readonly megabytesPerSecond: number;
  readonly cpuSecondsPerGigabyte: number;
}

async function measure(start: Start): Promise<Figures> {
  const program = fileURLToPath(import.meta.url);
  const receiver = fork(program, ['receive']);
  const [{ port }] = (await once(receiver, 'message')) as [{ port: number }];
  const proxy = await start(port);
  const told = once(receiver, 'message') as Promise<[{ elapsedNs: number }]>;
  const sender = fork(program, ['send', String(proxy.port)]);
  const before = process.cpuUsage();
  const [[{ elapsedNs }]] = await Promise.all([told, once(sender, 'exit')]);
  const { user, system } = process.cpuUsage(before);
  proxy.close();
  return {
    megabytesPerSecond: TOTAL_BYTES / (elapsedNs / 1e3),
    cpuSecondsPerGigabyte: (user + system) / 1e6 / (TOTAL_BYTES / 1e9),
  };
}

if (process.argv[2] === 'send') {
  send(Number(process.argv[3]));
} else if (process.argv[2] === 'receive') {
  receive();
} else {
  const rounds = new Map(Object.keys(CASES).map((name) => [name, [] as Figures[]]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, start] of Object.entries(CASES)) rounds.get(name)!.push(await measure(start));
  }
  const median = (name: string, key: keyof Figures): number =>
    rounds
      .get(name)!
      .map((figures) => figures[key])
      .toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
  for (const name of rounds.keys()) {
    const rates = rounds.get(name)!.map(({ megabytesPerSecond }) => Math.round(megabytesPerSecond));
    const ratio = median(name, 'megabytesPerSecond') / median('bare pipe', 'megabytesPerSecond');
    const cpu = median(name, 'cpuSecondsPerGigabyte');
    process.stdout.write(
      `${name.padEnd(20)}${rates.join(' ')} MB/s, ratio of the medians ${ratio.toFixed(2)}, CPU ${cpu.toFixed(2)} s/GB\n`,
    );
  }
}
