// What the vectors do not show of a dissection: known devices, bugs that are not findings, silence behind an error.
import t from 'tap';
import { StreamDissector } from '../../src/protocol/dissect.ts';
import { PreemptDissector } from '../../src/protocol/dissect-preempt.ts';
import { ReturnPathDissector } from '../../src/protocol/dissect-return-path.ts';
import { errorEntry } from '../../src/protocol/dissection-entry.ts';
import { toLines } from '../../src/protocol/dissection-lines.ts';
import { parseHex } from '../conformance/vectors.ts';
import { readCapture } from '../fixtures.ts';

const OPTIONS = { profile: 'strict', begins: 'sections', stream: 'main' } as const;

t.test('a device of known length is not searched, in a package neither', async (t) => {
  const lines: string[] = [];
  const dissector = new StreamDissector(
    toLines((line) => lines.push(line)),
    {
      ...OPTIONS,
      deviceStateBytes: (idstr) => (idstr === 'dev' ? 6 : undefined),
    },
  );
  const device = '04 00000009 03 "dev" 00000000 00000001 7e00000009 00 7e00000009';
  dissector.push(parseHex(`${device} 08 0007 0004 00000021 ${device} 08 0005 0000 00`));
  dissector.end();
  t.strictSame(
    lines.filter((line) => line.includes('DEVICE_STATE')),
    [
      'off=0x0011 len=6 DEVICE_STATE idstr="dev" instanceId=0 versionId=1',
      '  off=0x0011 len=6 DEVICE_STATE idstr="dev" instanceId=0 versionId=1',
    ],
  );
  t.equal(dissector.hasFailed, false);
});

t.test('nothing is written behind an error', async (t) => {
  const write = (lines: string[]) => toLines((line) => lines.push(line));
  const main: string[] = [];
  const preempt: string[] = [];
  const returnPath: string[] = [];
  const dissectors = [
    new StreamDissector(write(main), OPTIONS),
    new PreemptDissector(write(preempt)),
    new ReturnPathDissector(write(returnPath), { profile: 'strict' }),
  ];
  for (const dissector of dissectors) {
    dissector.push(new Uint8Array(8).fill(0xff));
    t.equal(dissector.hasFailed, true);
    dissector.push(parseHex('00 0002 0004 00000001 0000000000000010'));
    dissector.end();
  }
  t.strictSame([main.length, preempt.length, returnPath.length], [1, 1, 1]);
});

t.test('a bug is thrown and not written down', async (t) => {
  t.throws(() => errorEntry(new TypeError('bug'), { stream: 'main', streamOffset: 0 }), TypeError);
  const dissector = new StreamDissector(
    toLines(() => {
      throw new TypeError('disk full');
    }),
    OPTIONS,
  );
  t.throws(() => dissector.push(parseHex('08 0001 0000')), TypeError);
});

t.test('every byte of a captured stream is in one record', async (t) => {
  const bytes = readCapture('d2-postcopy-2m-bios.c0.fwd');
  let at = 0;
  const gaps: string[] = [];
  const dissector = new StreamDissector(
    toLines((line) => {
      if (line.startsWith('  ')) return;
      const [, offset, lengthBytes] = /^off=0x([0-9a-f]+) len=(\d+) /.exec(line) ?? [];
      if (Number.parseInt(offset ?? '', 16) !== at) gaps.push(line);
      at += Number(lengthBytes);
    }),
    { ...OPTIONS, begins: 'header', profile: '7.2' },
  );
  for (let start = 0; start < bytes.length; start += 5003)
    dissector.push(bytes.subarray(start, start + 5003));
  dissector.end();
  t.strictSame(gaps, []);
  t.equal(at, bytes.length);
});
