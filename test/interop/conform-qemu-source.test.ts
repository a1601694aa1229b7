// Real QEMU as a source keeps the rules of a source: where it did not, the rule was wrong.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { checkResults, runSourceSuite } from '../conformance-suite/source-suite.ts';
import { repositoryUrl } from '../fixtures.ts';
import { hugePages, whyNoQemu } from './live-qemu.ts';

const skip = whyNoQemu() ?? false;
const ADAPTER = fileURLToPath(repositoryUrl('examples/conform/qemu-source.mjs'));
const GUEST = fileURLToPath(repositoryUrl('test/fixtures/captures/guest-up.bios.gz'));
const HUGE_COUNT = 6;
const MIB = 2 ** 20;
const RAM_BYTES = 4 * MIB;
/** In three scenarios QEMU 7.2 waits for ever, and the suite for this long. */
const TIMEOUT_MS = 10_000;
/** It knows nothing of host page negotiation, which all of these are about. */
const NEGOTIATION = ['N1', 'N4', 'N5', 'N6', 'N7', 'N8', 'N9', 'N10', 'N11', 'N13', 'N14'];

function qemu(options: string): string {
  return `'${process.execPath}' '${ADAPTER}' {uri} ${options}`;
}

t.test('QEMU -machine none, profile 7.2', { skip, timeout: 600_000 }, async (t) => {
  const memory = `--memory ${RAM_BYTES / MIB}`;
  const results = await runSourceSuite(t, {
    commands: {
      usual: qemu(memory),
      precopy: qemu(`${memory} --precopy`),
      preempt: qemu(`${memory} --preempt`),
      recover: qemu(`${memory} --recover`),
    },
    profile: '7.2',
    blocks: [{ name: 'ram0', lengthBytes: RAM_BYTES, hostPageBytes: 4096 }],
    timeoutMs: TIMEOUT_MS,
  });
  checkResults(t, results, {
    notRun: [...NEGOTIATION, 'S11', 'S41'],
    unobservable: ['S16', 'S44'],
    obstacles: [/--variant (huge|hash)=/, /does not negotiate/],
  });
});

t.test('a running guest of QEMU, profile 7.2', { skip, timeout: 300_000 }, async (t) => {
  const guest = `--memory ${(2 * RAM_BYTES) / MIB} --bios '${GUEST}'`;
  const only = ['S12', 'S15', 'S36', 'S42'];
  const results = await runSourceSuite(t, {
    commands: {
      usual: qemu(guest),
      preempt: qemu(`${guest} --preempt`),
      recover: qemu(`${guest} --recover`),
    },
    profile: '7.2',
    blocks: [{ name: 'ram0', lengthBytes: 2 * RAM_BYTES, hostPageBytes: 4096 }],
    timeoutMs: TIMEOUT_MS,
    only,
  });
  checkResults(t, results, { notRun: [], unobservable: [], obstacles: [/--variant huge=/] });
  t.strictSame([...results.keys()], only);
});

t.test('QEMU with pages of 2 MiB, profile 7.2', { skip }, async (t) => {
  const huge = skip === false ? hugePages(t, HUGE_COUNT) : { missing: skip };
  await t.test('rounds and lists them', { skip: 'missing' in huge && huge.missing }, async (t) => {
    const only = ['S6', 'S11'];
    const results = await runSourceSuite(t, {
      commands: {
        usual: qemu(`--memory ${RAM_BYTES / MIB}`),
        huge: qemu(`--memory ${2 * HUGE_COUNT} --huge '${'path' in huge ? huge.path : ''}'`),
      },
      profile: '7.2',
      blocks: [{ name: 'ram0', lengthBytes: RAM_BYTES, hostPageBytes: 4096 }],
      timeoutMs: TIMEOUT_MS,
      only,
    });
    checkResults(t, results, { notRun: [], unobservable: [], obstacles: [/does not negotiate/] });
    t.strictSame([...results.keys()], only);
  });
});
