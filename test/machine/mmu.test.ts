// The MMU rule, with the cases of the 2018 report.

import t from 'tap';
import { mmuRefusal } from '../../src/machine/mmu.ts';

const K = 1024;
const M = 1024 * K;
const G = 1024 * M;
const ram = (hostPageBytes: number) => ({ name: 'pc.ram', kind: 'system', hostPageBytes }) as const;
const vram = { name: 'vga.vram', kind: 'device', hostPageBytes: 4 * K } as const;

t.test('a hash-MMU guest with 16M pages runs on 16M and 1G host pages, not on 2M', (t) => {
  const paging = { mmu: 'hash', guestPageBytes: 16 * M } as const;
  t.equal(mmuRefusal(paging, [ram(16 * M), vram]), undefined);
  t.equal(mmuRefusal(paging, [ram(G), vram]), undefined);
  const refusal = mmuRefusal(paging, [vram, ram(2 * M)]);
  t.match(refusal, { block: 'pc.ram', hostPageBytes: 2 * M, guestPageBytes: 16 * M });
  t.match(refusal?.message, /'pc\.ram'.*contiguous in host memory.*a 16M guest page.*2M host pages/);
  t.end();
});

t.test('each system block is looked at', (t) => {
  const second = { ...ram(64 * K), name: 'mem1' };
  t.equal(mmuRefusal({ mmu: 'hash', guestPageBytes: 16 * M }, [ram(G), second])?.block, 'mem1');
  t.end();
});

t.test('a radix guest is never refused', (t) => {
  t.equal(mmuRefusal({ mmu: 'radix', guestPageBytes: 16 * M }, [ram(4 * K), vram]), undefined);
  t.end();
});
