// The guest of bench/qemu: its bytes are what walker.asm assembles to, and its log is read as it is written.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { LOG, readLog, readState, stallsOf, walkerImage } from '../../bench/qemu/walker-image.ts';
import { temporaryDirectory } from '../e2e/command.ts';
import { repositoryUrl } from '../fixtures.ts';

function hasNasm(): boolean {
  try {
    execFileSync('nasm', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

t.test('the bytes are those of its source', { skip: !hasNasm() && 'needs nasm' }, async (t) => {
  const path = `${temporaryDirectory(t)}/walker.bin`;
  execFileSync('nasm', ['-f', 'bin', '-o', path, repositoryUrl('bench/qemu/walker.asm').pathname]);
  t.strictSame(walkerImage({ pageCount: 0, thresholdTicks: 0 }), readFileSync(path));
});

t.test('its two parameters are the first words', async (t) => {
  const image = walkerImage({ pageCount: 0x1ff00, thresholdTicks: 25_000 });
  t.equal(image.length, 0x10000);
  t.equal(image.readUInt32LE(0), 0x1ff00);
  t.equal(image.readUInt32LE(4), 25_000);
  t.equal(image[0xfff0], 0xe9, 'where a CPU begins there is a jump');
});

t.test('what it tells of itself, and its log', async (t) => {
  const control = Buffer.from('0200000001000000efcdab8967451300', 'hex');
  t.strictSame(readState(control), { loggedCount: 2, isFilled: true, counter: 0x13456789abcdef });
  const log = Buffer.alloc(LOG.entryCount * LOG.entryLength);
  log.write('00301000a861000000e1f50500000000', 0, 'hex');
  log.write('00401000a961000001e1f50500000000', 16, 'hex');
  t.strictSame(readLog(log, 2), [
    { address: 0x103000, ticks: 25_000, counter: 100_000_000 },
    { address: 0x104000, ticks: 25_001, counter: 100_000_001 },
  ]);
  t.throws(() => readLog(log, LOG.entryCount + 1), { message: /at most 32768 logged writes, found 32769/ });
});

t.test('of the logged writes those that waited for a page', async (t) => {
  const write = (address: number, counter: number) => ({ address, ticks: 10, counter });
  const writes = [
    write(0x100000, 105), // begun before the guest ran here
    write(0x101000, 110),
    write(0x102000, 120),
    write(0x101000, 130), // its page had come
    write(0x200000, 210),
    write(0x300000, 211), // begun when all had come
  ];
  const addresses = (pageBytes: number) =>
    stallsOf(writes, { from: 100, to: 200, pageBytes }).map(({ address }) => address);
  t.strictSame(addresses(4096), [0x101000, 0x102000, 0x200000]);
  t.strictSame(addresses(2 ** 21), [0x101000, 0x200000]);
});
