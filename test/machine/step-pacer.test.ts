// The pacer, in made-up time.

import t from 'tap';
import { StepPacer } from '../../src/machine/step-pacer.ts';

t.test('steps come due one by one', (t) => {
  const pacer = new StepPacer(1000, 5e9);
  t.equal(pacer.take(5e9, 64), 1, 'the first at once');
  t.equal(pacer.take(5e9 + 0.5e6, 64), 0);
  t.equal(pacer.waitMs(5e9 + 0.5e6), 0.5);
  t.equal(pacer.take(5e9 + 1e6, 64), 1);
  t.equal(pacer.take(5e9 + 4e6, 64), 3);
  t.end();
});

t.test('no more are taken than asked for, and the rest stays due', (t) => {
  const pacer = new StepPacer(1e6, 0);
  t.equal(pacer.take(100_000, 64), 64);
  t.equal(pacer.take(100_000, 64), 37);
  t.equal(pacer.take(100_000, 64), 0);
  t.end();
});

t.test('after a long wait only ten milliseconds are made up for', (t) => {
  const pacer = new StepPacer(1000, 0);
  t.equal(pacer.take(60e9, 64), 11);
  t.equal(pacer.take(60e9, 64), 0);
  t.end();
});
