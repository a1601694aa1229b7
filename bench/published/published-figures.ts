// What others have published, the cell of the matrix `published` that stands beside each figure, and why they differ.
import type { Cell } from '../cells/axes.ts';
import type { FigureName } from '../cells/figures.ts';

/** A figure that was published, and where ours is found. */
export interface PublishedFigure {
  readonly what: string;
  /** In the unit of the figure, ns or percent; without one where it is a ratio. A range, of percent, has two values. */
  readonly published: number | readonly [number, number];
  readonly figure: FigureName;
  /** What tells its cell from the others of the matrix. */
  readonly cell: Partial<Cell>;
  /** The published figure is that of `cell` over that of this one. */
  readonly over?: Partial<Cell>;
  readonly reason: string;
}

/** Figures of one publication. */
export interface Publication {
  readonly title: string;
  /** What it was measured on, and what of it was scaled here. */
  readonly setting: string;
  readonly figures: readonly PublishedFigure[];
}

const MS = 1e6;
const S = 1e9;

const IDLE_1G = { ram: '2G' } as const;
const VANILLA = { channels: 1, 'max-flight': '0', link: '10gbit' } as const;
const WITHOUT_BREAK = { channels: 2, 'break-huge': false } as const;
const FULL = { channels: 2, 'break-huge': true, vcpus: 2 } as const;
const WHOLE_1G = { 'destination-page': '1G', 'placement-page': 'host', vcpus: 8 } as const;
const PIECES_1G = { 'destination-page': '1G', 'placement-page': '4K' } as const;
const HINES = { guest: 'sequential' } as const;

/** All of them. */
export const PUBLICATIONS: readonly Publication[] = [
  {
    title: 'qemu-devel, April 2018, and the documentation of QEMU: a page of 1 GiB',
    setting:
      'an estimate: "about a second" at 10 Gbit/s. Here nothing but the requested page is on the link (push none)',
    figures: [
      {
        what: '1G page, idle link',
        published: S,
        figure: 'p50',
        cell: IDLE_1G,
        reason: 'it rounds up: the wire alone needs 0.859 s for 1 GiB, and page words add 0.2 %',
      },
    ],
  },
  {
    title: 'Peter Xu, postcopy preempt (QEMU 7.1): mean latency of a page fault at 10 Gbit/s',
    setting:
      'two machines, a guest of 20 GiB, random writes. Here two processes, 1 GiB of 4K and 2M pages, 4 GiB of 1G pages, two vCPUs of 2000 accesses a second; vanilla is one channel without bounds on what is in flight',
    figures: [
      {
        what: '4K, vanilla',
        published: 10.68 * MS,
        figure: 'mean',
        cell: { 'destination-page': '4K', ...VANILLA },
        reason:
          'what a request waits behind is the queue in front of it: megabytes of socket buffers and the queue of a NIC there, here the 1 ms that the emulated link queues, since it has no socket buffers',
      },
      {
        what: '4K, preempt',
        published: 0.57 * MS,
        figure: 'mean',
        cell: { 'destination-page': '4K', ...FULL },
        reason:
          'the urgent page shares the queue of the link, about 1 ms of it at each end of the range, and waits for no write of the background',
      },
      {
        what: '4K, vanilla / preempt',
        published: 10.68 / 0.57,
        figure: 'mean',
        cell: { 'destination-page': '4K', ...VANILLA },
        over: { 'destination-page': '4K', ...FULL },
        reason:
          'the gain of a channel of its own is the socket buffer that it passes, and here that is absent',
      },
      {
        what: '2M, vanilla',
        published: 10.58 * MS,
        figure: 'mean',
        cell: { 'destination-page': '2M', ...VANILLA },
        reason: 'as with 4K; the floor of 2M is 1.7 ms of it, and the page under way is finished first',
      },
      {
        what: '2M, preempt without break-huge',
        published: 5.49 * MS,
        figure: 'mean',
        cell: { 'destination-page': '2M', ...WITHOUT_BREAK },
        reason: 'the page under way goes first: half of one on average, and then the own one',
      },
      {
        what: '2M, preempt',
        published: 5.02 * MS,
        figure: 'mean',
        cell: { 'destination-page': '2M', ...FULL },
        reason: "the rest above the floor is waiting behind what is in flight, and the other vCPU's page",
      },
      {
        what: '1G, vanilla',
        published: 2047 * MS,
        figure: 'mean',
        cell: { 'destination-page': '1G', ...VANILLA },
        reason:
          'four pages only: most requests are for the page under way or the one after it, so that both figures are one to two and a half floors',
      },
      {
        what: '1G, preempt without break-huge',
        published: 933 * MS,
        figure: 'mean',
        cell: { 'destination-page': '1G', ...WITHOUT_BREAK },
        reason:
          'with few pages a fault either meets the page under way, and waits for its rest, or waits for that rest and its own page',
      },
      {
        what: '1G, preempt',
        published: 649 * MS,
        figure: 'mean',
        cell: { 'destination-page': '1G', ...FULL },
        reason:
          'published under the floor of 859 ms: pages were partly sent when they were touched, and such a fault waits for the rest only. Ours are marked ! where that is so',
      },
    ],
  },
  {
    title: 'Peter Xu, doublemap (RFC, January 2023): 1G pages placed in pieces of 4K',
    setting:
      'a guest of 20 GiB with 40 vCPUs. Here 4 GiB and eight vCPUs, so totals are smaller by the pages and the vCPUs; their ratio is what to compare. No released kernel does it, and neither does it here: docs/architecture.md, Memory',
    figures: [
      {
        what: 'a fault, whole pages',
        published: S,
        figure: 'mean',
        cell: WHOLE_1G,
        reason: 'about one floor, as above',
      },
      {
        what: 'a fault, pieces of 4K',
        published: 250e3,
        figure: 'mean',
        cell: PIECES_1G,
        reason:
          'the queue of the link and a round trip, as for 4K pages with preempt; there no emulated link adds 100 us',
      },
      {
        what: 'total stall, whole pages / pieces of 4K',
        published: 184 / 26,
        figure: 'totalStall',
        cell: WHOLE_1G,
        over: PIECES_1G,
        reason:
          'smaller pieces make many more faults, so the total gains much less than the mean: with more accesses a second it gains less',
      },
    ],
  },
  {
    title:
      'Hines and Gopalan, VEE 2009, Table 2: pages that a sequential process waited for, of those that it touched',
    setting:
      'Xen, 1 Gbit/s, a process of 8 to 256 MiB that writes page by page. Here 128 MiB, page by page at 25,000 a second, from two thirds of RAM on',
    figures: [
      {
        what: 'push alone',
        published: [9, 15],
        figure: 'faultShare',
        cell: { ...HINES, push: 'sequential' },
        reason:
          'how many pages are touched before the push has come to them follows from where the process lies and how fast it goes against the link',
      },
      {
        what: 'with bubbling',
        published: [2, 4],
        figure: 'faultShare',
        cell: { ...HINES, push: 'bubble' },
        reason:
          'half of the push goes below the process, where it has been: only faster links than guests have no further faults',
      },
    ],
  },
];
