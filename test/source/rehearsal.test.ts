// The rehearsal is a migration that our own core goes through, and is left out where it cannot pay.
import t from 'tap';
import { rehearseOutgoing } from '../../src/source/rehearsal.ts';

const cpuMs = (since: NodeJS.CpuUsage) => process.cpuUsage(since).user / 1000;

t.test('a large migration is rehearsed to the wait for SHUT', (t) => {
  const before = process.cpuUsage();
  rehearseOutgoing(2 ** 30);
  t.ok(cpuMs(before) > 10, 'it has worked');
  t.end();
});

t.test('a small one is not', (t) => {
  const before = process.cpuUsage();
  for (let i = 0; i < 100; i += 1) rehearseOutgoing(2 ** 20);
  t.ok(cpuMs(before) < 1000, 'a hundred times cost less than ten rehearsals');
  t.end();
});
