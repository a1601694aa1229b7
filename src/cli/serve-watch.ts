// Serves the page of a watched run beside what a command does, and keeps it when that is over until it is interrupted.

import type { EndName } from '../watch/model/frame.ts';
import { WatchRun } from '../watch/watch-run.ts';
import { type WatchAddress, WatchServer } from '../watch/watch-server.ts';
import type { Arguments } from './option-table.ts';
import type { Output } from './output.ts';
import { feedUrlOf, watchAddressOf } from './watch-options.ts';

/** A page that is served by a command. */
export class ServedWatch {
  readonly run: WatchRun;
  readonly #server: WatchServer;
  readonly #output: Output;

  private constructor(run: WatchRun, server: WatchServer, output: Output) {
    this.run = run;
    this.#server = server;
    this.#output = output;
  }

  /** Serves it and says where. @throws TransportError `cannot-listen` */
  static async serve(address: WatchAddress, control: boolean, output: Output): Promise<ServedWatch> {
    const run = new WatchRun(control);
    const server = await WatchServer.listen(address, run);
    output.watch(server.url);
    return new ServedWatch(run, server, output);
  }

  /** Waits for Ctrl-C, so that what was seen can be looked at and saved. */
  async stay(interrupted: AbortSignal): Promise<void> {
    if (interrupted.aborted) return;
    this.#output.line(`the page stays at ${this.#server.url} until Ctrl-C`);
    await new Promise<void>((resolve) => {
      interrupted.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Serves it no more. */
  close(): Promise<void> {
    return this.#server.close();
  }
}

/** The page of an end, joined to its own feed and that of its peer; undefined without `--watch`. @throws OptionError */
export async function watchOf(
  args: Arguments,
  end: EndName,
  feedUrl: string,
  output: Output,
): Promise<ServedWatch | undefined> {
  const address = watchAddressOf(args);
  const peerUrl = feedUrlOf(args, 'watch-peer');
  if (address === undefined) return undefined;
  const watch = await ServedWatch.serve(address, args.has('control'), output);
  watch.run.join(end, reachable(feedUrl));
  if (peerUrl !== undefined) watch.run.join(end === 'source' ? 'destination' : 'source', peerUrl);
  return watch;
}

/** A feed that is served on all addresses is joined on this machine's own. */
function reachable(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}
