// Whole migrations between two processes: every transport, program, switchover and pair of page sizes, each proved.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeTrace } from '../../src/machine/trace.ts';
import { migrate, temporaryDirectory } from './command.ts';

interface Case {
  readonly what: string;
  readonly source: readonly string[];
  readonly destination: readonly string[];
  readonly address?: string;
  /** Whether the migration ends in postcopy. */
  readonly postcopy: boolean;
}

const directory = temporaryDirectory(t);
const imagePath = join(directory, 'ram.img');
writeFileSync(
  imagePath,
  Buffer.from(Array.from({ length: 3 * 2 ** 20 + 77 }, (_, index) => (index * 31) % 251)),
);
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

const ram = (size: string, page: string) => ['--block', `pc.ram=${size}@${page}`];
const to = (page: string) => ['--host-page', page];
const NOW = ['--postcopy-after', 'now'];

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
    what: 'a trace, over ws',
    source: [...ram('8M', '4K'), '--guest', 'trace', '--trace', tracePath, ...NOW],
    destination: to('64K'),
    address: 'ws://127.0.0.1:0/',
    postcopy: true,
  },
  {
    what: 'RAM from a file',
    source: [...ram('8M', '4K'), '--ram-image', imagePath],
    destination: [...to('64K'), '--ram-image', imagePath],
    postcopy: true,
  },
  {
    what: 'legacy: no negotiation, equal pages',
    source: [...ram('8M', '64K'), '--no-negotiate', ...NOW],
    destination: [...to('64K'), '--no-negotiate'],
    postcopy: true,
  },
  {
    what: 'a destination that does not negotiate, equal pages',
    source: [...ram('8M', '64K'), ...NOW],
    destination: [...to('64K'), '--no-negotiate'],
    postcopy: true,
  },
  {
    what: 'profile 7.2 at both ends',
    source: [...ram('8M', '4K'), '--profile', '7.2', ...NOW],
    destination: [...to('64K'), '--profile', '7.2'],
    postcopy: true,
  },
  {
    what: 'blocks of three sizes, each with a page of its own, and the layout given',
    source: [
      '--block',
      'pc.ram=8M@4K',
      '--block',
      'vga.vram=1M@4K,device',
      '--block',
      'nvram=256K@64K',
      ...NOW,
    ],
    destination: ['--block', 'nvram=256K@4K', '--block', 'pc.ram=8M@2M', '--block', 'vga.vram=1M@64K,device'],
    postcopy: true,
  },
  {
    what: 'blocks learned, pages by name',
    source: ['--block', 'pc.ram=8M@4K', '--block', 'nvram=256K@64K', ...NOW],
    destination: [...to('2M'), '--block-page', 'nvram=16K'],
    postcopy: true,
  },
  {
    what: 'converged precopy',
    source: [...ram('8M', '4K'), '--guest', 'idle', '--postcopy-after', '3'],
    destination: to('64K'),
    postcopy: false,
  },
  {
    what: 'never postcopy',
    source: [...ram('8M', '4K'), '--postcopy-after', 'never'],
    destination: to('64K'),
    postcopy: false,
  },
  {
    what: 'without postcopy-ram, pages of other sizes and no negotiation',
    source: [...ram('8M', '4K'), '--no-postcopy-ram'],
    destination: [...to('2M'), '--no-negotiate'],
    postcopy: false,
  },
  {
    what: 'postcopy because it does not converge',
    source: [
      ...[...ram('8M', '4K'), '--rate', '0', '--write-percent', '100', '--max-bandwidth', '16M'],
      ...['--downtime-limit', '0', '--postcopy-after', 'no-convergence'],
    ],
    destination: to('64K'),
    postcopy: true,
  },
];

for (const { what, source, destination, address, postcopy } of CASES) {
  t.test(what, async (t) => {
    const downtime = postcopy ? ['--downtime-limit', '0'] : [];
    const ends = await migrate({
      source: [...downtime, ...source],
      destination,
      ...(address === undefined ? {} : { address }),
    });
    t.equal(ends.source.exitCode, 0, ends.source.stderr || JSON.stringify(ends.source.result?.error));
    t.equal(
      ends.destination.exitCode,
      0,
      ends.destination.stderr || JSON.stringify(ends.destination.result?.error),
    );
    const [from, result] = [ends.source.result, ends.destination.result];
    t.equal(from.status, 'completed');
    t.equal(result.status, 'completed');
    t.equal(result.guestVerified, true, result.guestVerification);
    t.equal('postcopy-active' in from.times.phases, postcopy, 'as precopy or as postcopy');
    t.same(
      result.guest?.vcpus.map(({ program }) => program),
      from.guest?.vcpus.map(({ program }) => program),
    );
    const lengthPages = result.pages.precopy! + result.pages.postcopyBackground! + result.pages.requested!;
    const sentPages = from.pages.precopy! + from.pages.postcopyBackground! + from.pages.requested!;
    t.equal(lengthPages, sentPages, 'both ends count the same pages');
    t.equal(result.bytes.wire, from.bytes.wire, 'and the same bytes');
    t.equal(result.bytes.discarded, from.bytes.discarded);
    t.equal(result.pages.duplicate, 0);
    if (!destination.includes('--no-negotiate'))
      t.ok(
        result.negotiated.every((block) =>
          from.negotiated.some(
            (other) =>
              other.block === block.block &&
              other.destinationHostPageBytes === block.destinationHostPageBytes,
          ),
        ),
      );
  });
}
