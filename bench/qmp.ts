// Speaks QMP to one QEMU over its UNIX socket.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** A QEMU that starts on a busy machine takes seconds. */
const START_LIMIT_MS = 60_000;
const CONNECT_PAUSE_MS = 25;
/** Its socket is not there yet, or is there before QEMU listens on it. */
const NOT_YET = ['ENOENT', 'ECONNREFUSED'];

interface Reply {
  readonly event?: string;
  readonly timestamp?: { readonly seconds: number; readonly microseconds: number };
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

async function connectWhenItListens(path: string): Promise<Socket> {
  const deadlineMs = performance.now() + START_LIMIT_MS;
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      const isEarly = NOT_YET.includes((error as NodeJS.ErrnoException).code ?? '');
      if (!isEarly || performance.now() > deadlineMs) throw error;
    }
    await sleep(CONNECT_PAUSE_MS);
  }
}

/** A QMP session, commands one at a time. */
export class Qmp {
  readonly #socket: Socket;
  readonly #replies: AsyncIterator<string>;
  readonly #eventsMs = new Map<string, number>();

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#replies = createInterface(socket)[Symbol.asyncIterator]();
  }

  /** Connects to a QEMU that is starting. @throws Error if it does not appear */
  static async connect(path: string): Promise<Qmp> {
    const qmp = new Qmp(await connectWhenItListens(path));
    await qmp.#replies.next(); // the greeting
    await qmp.command('qmp_capabilities');
    return qmp;
  }

  /** Runs a command and returns its answer. @throws Error with QEMU's message */
  async command(execute: string, values: object = {}): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute, arguments: values })}\n`);
    for (;;) {
      const { value, done } = await this.#replies.next();
      if (done === true) throw new Error(`${execute}: expected an answer, found the end of QMP`);
      const reply = JSON.parse(value) as Reply;
      if (reply.event !== undefined && reply.timestamp !== undefined) {
        this.#eventsMs.set(reply.event, reply.timestamp.seconds * 1e3 + reply.timestamp.microseconds / 1e3);
      }
      if (reply.error !== undefined) throw new Error(`${execute}: ${reply.error.desc}`);
      if (reply.return !== undefined) return reply.return;
    }
  }

  /** When an event of this name came last before the last answer, in ms of the wall clock. */
  eventMs(name: string): number | undefined {
    return this.#eventsMs.get(name);
  }

  close(): void {
    this.#socket.destroy();
  }
}
