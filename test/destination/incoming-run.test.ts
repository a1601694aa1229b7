// RUN is checked when it comes, not when the loader has time for it (rule D48).
import t from 'tap';
import { StateError } from '../../src/errors.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { HOST_PAGE, honestSource, PAGE, RUN } from '../adversary/scripted-source.ts';
import { IncomingRig, thrownBy } from './incoming-rig.ts';

const pieces = honestSource();
const afterPackage = pieces.findIndex(({ label }) => label === 'package') + 1;
const HEAD = joinBytes(pieces.slice(0, afterPackage).map(({ bytes }) => bytes));

for (const isLoaded of [false, true]) {
  t.test(`a second RUN, when the package ${isLoaded ? 'is' : 'is not yet'} loaded`, (t) => {
    const rig = new IncomingRig({
      hostPageBytes: HOST_PAGE,
      byName: new Map([['vga.vram', PAGE]]),
      loadsWhenTold: true,
    });
    rig.push(HEAD);
    if (isLoaded) rig.load();
    const error = thrownBy(() => rig.push(RUN));
    t.ok(error instanceof StateError);
    t.match(error, { code: 'bad-postcopy-state', rule: 'D48', message: /found it in running/ });
    t.end();
  });
}
