// Speaks QMP to one QEMU over its UNIX socket.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const CONNECT_TRIES = 200;
const CONNECT_PAUSE_MS = 25;

interface Reply {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

/** A QMP session, commands one at a time. */
export class Qmp {
  readonly #socket: Socket;
  readonly #replies: AsyncIterator<string>;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#replies = createInterface(socket)[Symbol.asyncIterator]();
  }

  /** Connects to a QEMU that is starting. @throws Error if it does not appear */
  static async connect(path: string): Promise<Qmp> {
    for (let tries = 0; tries < CONNECT_TRIES && !existsSync(path); tries += 1) await sleep(CONNECT_PAUSE_MS);
    const socket = connect(path);
    await once(socket, 'connect');
    const qmp = new Qmp(socket);
    await qmp.#replies.next(); // the greeting
    await qmp.command('qmp_capabilities');
    return qmp;
  }

  /** Runs a command and returns its answer; events in between are dropped. @throws Error with QEMU's message */
  async command(execute: string, values: object = {}): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute, arguments: values })}\n`);
    for (;;) {
      const { value, done } = await this.#replies.next();
      if (done === true) throw new Error(`${execute}: expected an answer, found the end of QMP`);
      const reply = JSON.parse(value) as Reply;
      if (reply.error !== undefined) throw new Error(`${execute}: ${reply.error.desc}`);
      if (reply.return !== undefined) return reply.return;
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
