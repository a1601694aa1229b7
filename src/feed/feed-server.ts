// Serves a feed over WebSocket, and what else is asked for over HTTP at the same port.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { MigrationError, TransportError } from '../errors.ts';
import { refusalOf } from './allowed-request.ts';
import { CONTROL_LIMIT_BYTES, decodeControl } from './feed-codec.ts';
import type { FeedHub, Viewer } from './feed-hub.ts';
import { type ControlMessage, FEED_SUBPROTOCOL } from './feed-messages.ts';

/** Where to listen. Port 0 takes a free one. */
export interface FeedAddress {
  readonly host: string;
  readonly port: number;
}

/** What came of a control message: undefined if it was done, else why not. */
export type Control = (message: ControlMessage) => string | undefined;

/** What a feed is served with. */
export interface FeedServerOptions extends FeedAddress {
  readonly hub: FeedHub;
  /** Undefined where viewers may only look. */
  readonly control: Control | undefined;
  /** Answers a GET of another path than the feed's; false if there is nothing there. */
  readonly onGet?: (path: string, response: ServerResponse) => boolean;
  /** How often a viewer is asked whether it is still there; one that has not answered by the next time is dropped. */
  readonly pingMs?: number;
}

const FEED_PATH = '/feed';
const MOST_VIEWERS = 16;
const MOST_CONNECTIONS = 64;
const PING_MS = 5000;
/** How long viewers may take to read the end of a feed. */
const FAREWELL_MS = 1000;
const CLOSE = { GOING_AWAY: 1001, UNSUPPORTED: 1003, POLICY: 1008 } as const;

/** A feed that is served. */
export class FeedServer {
  /** `ws://HOST:PORT/feed`. */
  readonly url: string;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #options: FeedServerOptions;

  /** Listens. @throws TransportError `cannot-listen` */
  static async listen(options: FeedServerOptions): Promise<FeedServer> {
    const http = createServer();
    const { host, port } = options;
    await new Promise<void>((resolve, reject) => {
      http.once('error', (cause) => {
        const message = `cannot listen on ${host}:${port} for a feed: ${cause.message}`;
        reject(new TransportError('cannot-listen', message, { cause }));
      });
      http.listen(port, host, resolve);
    });
    return new FeedServer(http, options);
  }

  private constructor(http: Server, options: FeedServerOptions) {
    const { port, family, address } = http.address() as AddressInfo;
    this.url = `ws://${family === 'IPv6' ? `[${address}]` : address}:${port}${FEED_PATH}`;
    this.#http = http;
    this.#options = options;
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: CONTROL_LIMIT_BYTES,
      perMessageDeflate: false,
      handleProtocols: () => FEED_SUBPROTOCOL,
    });
    http.maxConnections = MOST_CONNECTIONS;
    http.on('error', () => undefined); // of one connection, which is gone then
    http.on('request', (request, response) => this.#serve(request, response));
    http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Ends: viewers read what was sent, then the end. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
    });
    this.#http.closeIdleConnections();
    for (const socket of this.#sockets.clients) socket.close(CLOSE.GOING_AWAY, 'the feed has ended');
    const timer = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
      this.#http.closeAllConnections();
    }, FAREWELL_MS);
    await closed;
    clearTimeout(timer);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const path = new URL(request.url ?? '/', 'http://feed').pathname;
    const refusal = refusalOf(request, this.#options.host);
    if (refusal !== undefined) refuse(response, 403, refusal);
    else if (request.method !== 'GET') refuse(response, 405, 'only GET');
    else if (path === FEED_PATH) refuse(response, 426, `a WebSocket of the subprotocol ${FEED_SUBPROTOCOL}`);
    else if (this.#options.onGet?.(path, response) !== true) refuse(response, 404, 'nothing here');
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const reason = this.#refusal(request);
    if (reason !== undefined) {
      socket.end(`HTTP/1.1 ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (viewer) => this.#watch(viewer, socket));
  }

  #refusal(request: IncomingMessage): string | undefined {
    const path = new URL(request.url ?? '/', 'http://feed').pathname;
    const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
    if (path !== FEED_PATH) return '404 Not Found';
    if (refusalOf(request, this.#options.host) !== undefined) return '403 Forbidden';
    if (!offered.includes(FEED_SUBPROTOCOL)) return '400 Bad Request';
    if (this.#sockets.clients.size >= MOST_VIEWERS) return '503 Service Unavailable';
    return undefined;
  }

  #watch(socket: WebSocket, connection: Duplex): void {
    const viewer: Viewer = {
      get backlogBytes() {
        return socket.bufferedAmount;
      },
      cork: () => connection.cork(),
      uncork: () => connection.uncork(),
      take: (_frame, bytes) => socket.send(bytes, { binary: true }, () => undefined),
    };
    const detach = this.#options.hub.attach(viewer);
    let isAlive = true;
    const timer = setInterval(() => {
      if (!isAlive) {
        socket.terminate();
        return;
      }
      isAlive = false;
      socket.ping();
    }, this.#options.pingMs ?? PING_MS);
    socket.on('pong', () => {
      isAlive = true;
    });
    socket.on('message', (data, isBinary) => {
      if (!isBinary) socket.close(CLOSE.UNSUPPORTED, 'only binary messages');
      else this.#take(socket, viewer, data as Buffer);
    });
    socket.on('error', () => socket.terminate()); // too long a message, or a frame that breaks the protocol
    socket.on('close', () => {
      clearInterval(timer);
      detach();
    });
  }

  #take(socket: WebSocket, viewer: Viewer, data: Buffer): void {
    let message: ControlMessage;
    try {
      message = decodeControl(data);
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error;
      socket.close(CLOSE.POLICY, error.message.slice(0, 120));
      return;
    }
    const { control, hub } = this.#options;
    const reason =
      control === undefined ? 'this feed may only be looked at: its end has no --control' : control(message);
    const answer = { kind: 'control-answer' as const, action: message.action, ok: reason === undefined };
    hub.answer(viewer, reason === undefined ? answer : { ...answer, reason });
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
  response.end(`${text}\n`);
}
