// Serves the page and the frames of a watched run, to this machine alone unless it is told otherwise.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { TransportError } from '../errors.ts';
import { refusalOf } from '../feed/allowed-request.ts';
import { CONTROL_LIMIT_BYTES } from '../feed/feed-codec.ts';
import { FEED_SUBPROTOCOL } from '../feed/feed-messages.ts';
import { type PageFile, readPageFiles } from './page-files.ts';
import type { WatchRun } from './watch-run.ts';

/** Where to listen. Port 0 takes a free one. */
export interface WatchAddress {
  readonly host: string;
  readonly port: number;
}

const FEED_PATH = '/feed';
const MOST_VIEWERS = 16;
const MOST_CONNECTIONS = 128;
/** How long viewers may take to say goodbye. */
const FAREWELL_MS = 500;
/** Nothing from elsewhere, and no script but those that are served here. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/** A page that is served. */
export class WatchServer {
  /** `http://HOST:PORT/`, as a browser on this machine takes it. */
  readonly url: string;
  readonly #http: Server;
  readonly #host: string;
  readonly #run: WatchRun;
  readonly #files: ReadonlyMap<string, PageFile>;
  readonly #sockets: WebSocketServer;

  /** Listens. @throws TransportError `cannot-listen` */
  static async listen({ host, port }: WatchAddress, run: WatchRun): Promise<WatchServer> {
    const http = createServer();
    const files = readPageFiles();
    await new Promise<void>((resolve, reject) => {
      http.once('error', (cause) => {
        const message = `cannot listen on ${host}:${port} for the page: ${cause.message}`;
        reject(new TransportError('cannot-listen', message, { cause }));
      });
      http.listen(port, host, resolve);
    });
    return new WatchServer(http, host, run, files);
  }

  private constructor(http: Server, host: string, run: WatchRun, files: ReadonlyMap<string, PageFile>) {
    const { port } = http.address() as AddressInfo;
    const isAny = host === '0.0.0.0' || host === '::';
    const shown = isAny ? 'localhost' : host;
    this.url = `http://${shown.includes(':') ? `[${shown}]` : shown}:${port}/`;
    this.#http = http;
    this.#host = host;
    this.#run = run;
    this.#files = files;
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

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const refusal = refusalOf(request, this.#host);
    const path = pathOf(request);
    const file = this.#files.get(path);
    if (refusal !== undefined) answer(response, 403, refusal);
    else if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, 'only GET');
    else if (path === FEED_PATH) answer(response, 426, `a WebSocket of the subprotocol ${FEED_SUBPROTOCOL}`);
    else if (file === undefined) answer(response, 404, 'nothing here');
    else {
      const { type, content } = file;
      response.writeHead(200, { ...HEADERS, 'content-type': type, 'content-length': content.length });
      response.end(request.method === 'HEAD' ? undefined : content);
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const status = this.#refusedStatus(request);
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (viewer) => this.#run.attach(viewer));
  }

  #refusedStatus(request: IncomingMessage): string | undefined {
    const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
    if (refusalOf(request, this.#host) !== undefined) return '403 Forbidden';
    if (pathOf(request) !== FEED_PATH) return '404 Not Found';
    if (!offered.includes(FEED_SUBPROTOCOL)) return '400 Bad Request';
    return this.#sockets.clients.size >= MOST_VIEWERS ? '503 Service Unavailable' : undefined;
  }

  /** Ends: viewers are told, and cut off if they do not go. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
    });
    this.#run.close();
    this.#http.closeIdleConnections();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
      this.#http.closeAllConnections();
    }, FAREWELL_MS);
    await closed;
    clearTimeout(timer);
  }
}

/** The path that was asked for; one that cannot be read is none of ours. */
function pathOf(request: IncomingMessage): string {
  const url = `http://page${request.url ?? '/'}`;
  return URL.canParse(url) ? new URL(url).pathname : '';
}

function answer(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, {
    ...HEADERS,
    'content-type': 'text/plain; charset=utf-8',
    connection: 'close',
  });
  response.end(`${words}\n`);
}
