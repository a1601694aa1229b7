// Every transport, program and pair of page sizes, each proved.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeTrace } from '../../src/machine/trace.ts';
import { type Case, NOW, ram, testMigrations, to } from './check-migration.ts';
import { temporaryDirectory } from './command.ts';

const directory = temporaryDirectory(t);
const tracePath = join(directory, 'small.trace');
writeFileSync(
  tracePath,
  encodeTrace({
    program: 'made up',
    pageCount: 900,
    accesses: Uint32Array.from(
      { length: 20_000 },
      (_, index) => ((index * 37) % 900) * 2 + (index % 3 === 0 ? 1 : 0),
    ),
  }),
);

const CASES: readonly Case[] = [
  { what: 'tcp, 4K to 64K, 2 vCPUs', source: [...ram('8M', '4K')], destination: to('64K'), postcopy: true },
  {
    what: 'unix, 64K to 4K, 1 vCPU, sequential',
    source: [...ram('8M', '64K'), '--smp', '1', '--guest', 'sequential', ...NOW],
    destination: to('4K'),
    address: `unix:${join(directory, 'socket')}`,
    postcopy: true,
  },
  {
    what: 'ws, 4K to 2M, zipf',
    source: [...ram('16M', '4K'), '--guest', 'zipf', ...NOW],
    destination: [...to('2M'), '--smp', '2'],
    address: 'ws://127.0.0.1:0/migrate',
    postcopy: true,
  },
  {
    what: '2M to 4K, pointer-chase, 8 vCPUs',
    source: [...ram('16M', '2M'), '--guest', 'pointer-chase', '--smp', '8', ...NOW],
    destination: [...to('4K'), '--smp', '8'],
    postcopy: true,
  },
  {
    what: '4K to 16M, idle',
    source: [...ram('32M', '4K'), '--guest', 'idle', ...NOW],
    destination: to('16M'),
    postcopy: true,
  },
  {
    what: '16M to 64K, hash MMU is no matter at the source side only',
    source: [...ram('32M', '16M'), '--mmu', 'hash', '--guest-page', '64K'],
    destination: to('64K'),
    postcopy: true,
  },
  {
    what: '4K to 16M in pieces of 64K',
    source: [...ram('32M', '4K'), ...NOW],
    destination: [...to('16M'), '--placement-page', '64K'],
    postcopy: true,
  },
  {
    what: '16M to 16M in pieces of 4K, pushed in pieces of 1M and collapsed at it',
    source: [...ram('64M', '16M'), '--push-piece', '1M', ...NOW],
    destination: [...to('16M'), '--placement-page', '4K', '--collapse-at', '1M=5', '--collapse-cost', '20'],
    postcopy: true,
  },
  {
    what: 'the same after precopy, by bubble-2 beside a preempt channel, with two levels between',
    source: [...ram('64M', '4K'), '--push-piece', '256K', '--push', 'bubble-2', '--postcopy-preempt'],
    destination: [
      ...[...to('16M'), '--placement-page', '16K', '--postcopy-preempt'],
      ...['--collapse-at', '4M', '--collapse-at', '256K'],
    ],
    postcopy: true,
  },
  {
    what: 'a hash guest on pages in pieces that it was told of, the rest of a host page not first',
    source: [
      ...[...ram('32M', '16M'), '--mmu', 'hash', '--guest-page', '16M', '--allow-broken-pages'],
      ...['--push-rest-first', 'off', '--push-piece', '2M', ...NOW],
    ],
    destination: [...to('16M'), '--placement-page', '4K', '--collapse-at', '2M'],
    postcopy: true,
  },
  {
    what: 'preempt, two connections from the start as with 7.2',
    source: [...ram('16M', '4K'), '--postcopy-preempt', ...NOW],
    destination: [...to('64K'), '--postcopy-preempt'],
    postcopy: true,
  },
  {
    what: 'preempt, the second connection at the switchover as with 10.x',
    source: [...ram('16M', '4K'), '--postcopy-preempt', '--break-huge', 'off', '--profile', '10.x'],
    destination: [...to('2M'), '--postcopy-preempt', '--profile', '10.x'],
    address: `unix:${join(directory, 'preempt')}`,
    postcopy: true,
  },
  {
    what: 'preempt over ws, little under way',
    source: [...ram('16M', '64K'), '--postcopy-preempt', '--max-flight', '64K', ...NOW],
    destination: [...to('4K'), '--postcopy-preempt'],
    address: 'ws://127.0.0.1:0/',
    postcopy: true,
  },
  {
    what: 'a trace, over ws',
    source: [...ram('8M', '4K'), '--guest', 'trace', '--trace', tracePath, ...NOW],
    destination: to('64K'),
    address: 'ws://127.0.0.1:0/',
    postcopy: true,
  },
];

testMigrations(CASES);
