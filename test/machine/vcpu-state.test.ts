// vCPU states: encoded, decoded, refused.

import fc from 'fast-check';
import t from 'tap';
import {
  decodeVcpuState,
  encodeVcpuState,
  GUEST_PROGRAM_NAMES,
  VCPU_STATE_BYTES,
  type VcpuState,
} from '../../src/machine/vcpu-state.ts';

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const anyState: fc.Arbitrary<VcpuState> = fc.record({
  index: fc.nat(63),
  program: fc.constantFrom(...GUEST_PROGRAM_NAMES),
  seed: u32,
  count: fc.maxSafeNat(),
  accumulator: u32,
  random: u32,
  cursor: u32,
  position: u32,
  writePercent: fc.nat(100),
  ratePerSecond: u32,
  constants: fc.record({ zeta: finite, eta: finite, secondRankEnd: finite }),
});

/** Written by hand. */
const HAND = Buffer.from(
  `0001 02 02 00000007 00000001 00000002 00000003 00000004 00000005 00000006 00000032 000003e8
   4000000000000000 3fe0000000000000 3ff8000000000000`.replaceAll(/\s/g, ''),
  'hex',
);
const STATE: VcpuState = {
  index: 2,
  program: 'zipf',
  seed: 7,
  count: 2 ** 32 + 2,
  accumulator: 3,
  random: 4,
  cursor: 5,
  position: 6,
  writePercent: 50,
  ratePerSecond: 1000,
  constants: { zeta: 2, eta: 0.5, secondRankEnd: 1.5 },
};

t.test('a state has the bytes that were written by hand', (t) => {
  t.same(decodeVcpuState(HAND), STATE);
  t.equal(Buffer.from(encodeVcpuState(STATE)).toString('hex'), HAND.toString('hex'));
  t.end();
});

t.test('what is encoded is decoded', (t) => {
  fc.assert(
    fc.property(anyState, (state) => {
      const bytes = encodeVcpuState(state);
      if (bytes.length !== VCPU_STATE_BYTES) return false;
      const decoded = decodeVcpuState(bytes);
      return Object.keys(state).every((key) => {
        const [a, b] = [state[key as keyof VcpuState], decoded[key as keyof VcpuState]];
        return JSON.stringify(a) === JSON.stringify(b);
      });
    }),
    { seed: 6, numRuns: 200 },
  );
  t.end();
});

t.test('bad bytes are refused by field', (t) => {
  const changed = (at: number, hex: string) => {
    const bytes = Buffer.from(HAND);
    Buffer.from(hex, 'hex').copy(bytes, at);
    return bytes;
  };
  for (const [message, bytes] of [
    [/64 bytes, got 63/, HAND.subarray(1)],
    [/64 bytes, got 65/, Buffer.concat([HAND, Buffer.of(0)])],
    [/version 1, got 2/, changed(0, '0002')],
    [/index must be below 64/, changed(2, '40')],
    [/no program has the code 6/, changed(3, '06')],
    [/count must be below 2\^53/, changed(8, '00200000')],
    [/writePercent must be 0 to 100, is 101/, changed(32, '00000065')],
    [/zeta must be a finite number/, changed(40, '7ff8000000000000')],
    [/eta must be a finite number/, changed(48, 'fff0000000000000')],
  ] as const) {
    t.throws(() => decodeVcpuState(bytes), { name: 'GuestError', code: 'bad-vcpu-state', message });
  }
  t.throws(() => encodeVcpuState({ ...STATE, cursor: 2 ** 32 }), { code: 'bad-vcpu-state' });
  t.throws(() => encodeVcpuState({ ...STATE, random: -1 }), { code: 'bad-vcpu-state' });
  t.end();
});
