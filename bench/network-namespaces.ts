// Two network namespaces of the kernel, joined by a pair of virtual devices that `tc` may shape; removed when told.
import { execFileSync } from 'node:child_process';

/** One of the two. */
export type NamespaceSide = 'source' | 'destination';

const SIDES = ['source', 'destination'] as const;
/** Of a private network that hardly anybody uses; it exists in the two namespaces only. */
const ADDRESSES = { source: '10.213.77.1', destination: '10.213.77.2' } as const;
const DEVICE = 'link0';
/** What tbf sends at once when it was idle: it has to hold a segment of 64 KiB, and what falls due between two ticks. */
const BURST_SECONDS = 2e-3;
const LEAST_BURST_BYTES = 64 * 1024;
const QUEUE_MS = 10;

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** The pair. Needs root, `ip` and `tc`. */
export class NetworkNamespaces {
  readonly #names = {
    source: `postcopy-${process.pid}-source`,
    destination: `postcopy-${process.pid}-destination`,
  } as const;
  readonly #made = new Set<NamespaceSide>();

  /** @throws Error with what `ip` said; what was made by then is removed */
  constructor() {
    try {
      for (const side of SIDES) {
        run('ip', 'netns', 'add', this.#names[side]);
        this.#made.add(side);
      }
      const { source, destination } = this.#names;
      run(
        'ip',
        ...['-n', source, 'link', 'add', DEVICE, 'type', 'veth'],
        ...['peer', 'name', DEVICE, 'netns', destination],
      );
      for (const side of SIDES) {
        const name = this.#names[side];
        run('ip', '-n', name, 'address', 'add', `${ADDRESSES[side]}/24`, 'dev', DEVICE);
        run('ip', '-n', name, 'link', 'set', DEVICE, 'up');
        run('ip', '-n', name, 'link', 'set', 'lo', 'up');
      }
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** The command that runs another one inside. */
  inside(side: NamespaceSide): readonly string[] {
    return ['ip', 'netns', 'exec', this.#names[side]];
  }

  address(side: NamespaceSide): string {
    return ADDRESSES[side];
  }

  /** Lets no more than a rate out of either side; undefined lets out what goes. */
  shape(bytesPerSecond: number | undefined): void {
    for (const side of SIDES) {
      const qdisc = ['-n', this.#names[side], 'qdisc'];
      if (bytesPerSecond === undefined) {
        run('tc', ...qdisc, 'delete', 'dev', DEVICE, 'root');
        continue;
      }
      const burst = Math.max(LEAST_BURST_BYTES, Math.round(bytesPerSecond * BURST_SECONDS));
      const rate = ['rate', `${bytesPerSecond * 8}bit`, 'burst', `${burst}b`, 'latency', `${QUEUE_MS}ms`];
      run('tc', ...qdisc, 'replace', 'dev', DEVICE, 'root', 'tbf', ...rate);
    }
  }

  /** Removes both, and the devices with them. */
  remove(): void {
    for (const side of this.#made) {
      run('ip', 'netns', 'delete', this.#names[side]);
      this.#made.delete(side);
    }
  }
}
