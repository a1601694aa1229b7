// The run of a source as its feed tells it: pages, vCPUs and rates, out of shared memory.
import { randomUUID } from 'node:crypto';
import type { RamImage } from '../machine/ram-block.ts';
import { TARGET_PAGE_BYTES } from '../machine/ram-memory.ts';
import type { VcpuControl } from '../machine/vcpu-control.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import { RUN_FIGURE, type SharedFigures } from '../telemetry/shared-figures.ts';
import type { FeedPart, FeedRun } from './feed-hub.ts';
import type { FeedBody } from './feed-messages.ts';
import { PageMap } from './page-map.ts';
import { SourcePages } from './page-reader.ts';
import { FEED_PAGE } from './page-runs.ts';
import { RateMeter } from './rate-meter.ts';

/** What is shown of a source. */
export interface WatchedSource {
  readonly image: RamImage;
  readonly control: VcpuControl;
  readonly figures: SharedFigures;
  readonly link: { readonly bytesPerSecond: number; readonly rttNs: number } | null;
  readonly channels: number;
}

/** A run of a source. */
export class SourceRun implements FeedRun {
  readonly #source: WatchedSource;
  readonly #meter: RateMeter;
  readonly #run = randomUUID();
  readonly #startedAt = Date.now();
  #placementPages: readonly number[];
  #link: WatchedSource['link'];
  #pages: PageMap;

  constructor(source: WatchedSource) {
    this.#source = source;
    this.#link = source.link;
    this.#meter = new RateMeter(source.figures, monotonicNs());
    this.#placementPages = source.image.blocks.map((block) => block.hostPageBytes);
    this.#pages = this.#mapPages();
  }

  get pages(): PageMap {
    return this.#pages;
  }

  /** The placement page of each block was agreed on; returns whether that is news. */
  agree(placementPages: readonly number[]): boolean {
    if (placementPages.every((bytes, index) => bytes === this.#placementPages[index])) return false;
    this.#placementPages = placementPages;
    this.#pages = this.#mapPages();
    return true;
  }

  /** The emulated link is another from now on. */
  reshape(link: WatchedSource['link']): void {
    this.#link = link;
  }

  hello(): ReturnType<FeedRun['hello']> {
    const { image, control, channels } = this.#source;
    return {
      run: this.#run,
      startedAt: this.#startedAt,
      blocks: image.blocks.map(({ name, lengthBytes, hostPageBytes }, index) => ({
        name,
        length: lengthBytes,
        hostPage: hostPageBytes,
        placementPage: this.#placementPages[index]!,
        targetPage: TARGET_PAGE_BYTES,
      })),
      vcpus: control.vcpuCount,
      link: this.#link,
      channels,
    };
  }

  tick(nowNs: number): FeedPart[] {
    const { image, figures } = this.#source;
    const dirtyPages = image.blocks.reduce((sum, block) => sum + block.dirty.countUnion(block.dirtyLog), 0);
    const own = {
      dirtyBytes: dirtyPages * TARGET_PAGE_BYTES,
      faults: 0,
      requests: figures.get(RUN_FIGURE.REQUESTS),
      requestsOpen: 0,
      presentBytes: this.#pages.bytesIn(FEED_PAGE.SENT),
      totalBytes: image.totalBytes,
    };
    return [{ kind: 'vcpus', list: this.#vcpus() }, ...this.#meter.tick(nowNs, own)];
  }

  #vcpus(): FeedBody<'vcpus'>['list'] {
    const { control } = this.#source;
    return Array.from({ length: control.vcpuCount }, (_, index) => ({
      running: control.status(index) === 'running',
      steps: control.count(index),
    }));
  }

  #mapPages(): PageMap {
    const { blocks } = this.#source.image;
    return new PageMap(blocks.map((block, index) => new SourcePages(block, this.#placementPages[index]!)));
  }
}
