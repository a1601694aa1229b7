// Legacy peers, layouts of several blocks, RAM from a file, and each way to switch over or not, each proved.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Case, NOW, ram, testMigrations, to } from './check-migration.ts';
import { temporaryDirectory } from './command.ts';

const directory = temporaryDirectory(t);
const imagePath = join(directory, 'ram.img');
writeFileSync(
  imagePath,
  Buffer.from(Array.from({ length: 3 * 2 ** 20 + 77 }, (_, index) => (index * 31) % 251)),
);

const CASES: readonly Case[] = [
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

testMigrations(CASES);
