// The rules of the destination about the frame of the stream: D1 to D18.
import { encodeEos } from '../protocol/ram-records.ts';
import {
  encodeConfigurationSubsection,
  encodeSection,
  HEADER,
  STREAM_MAGIC,
  STREAM_VERSION,
  SUBSECTION,
  SUBSECTION_HEAD,
} from '../protocol/sections.ts';
import { RAM_SECTION_ID } from '../source/setup-records.ts';
import { accepted, destinationRule, look, refused } from './destination-rule.ts';
import { type Edit, edited, inPrecopy, inRunning, inSetup, precopyScript } from './destination-scripts.ts';
import { completes, completesSilently } from './expectations.ts';
import { probe, ramSection, ramStart } from './honest-script.ts';
import { MigrationPlan } from './migration-plan.ts';
import { scripted } from './play-script.ts';
import type { Rule } from './rule.ts';
import { before, findStep, replace, type Step, send, without } from './script.ts';

/** The migration that keeps every rule. */
export const HONEST = edited('a migration that keeps every rule', (steps) => steps);

/** A precopy migration that keeps every rule. */
export const PRECOPY = scripted('a precopy migration that keeps every rule', (subject) =>
  precopyScript(subject, new MigrationPlan(subject)),
);

const FOREIGN_UUID = Uint8Array.from({ length: 16 }, (_, index) => 0xf0 + index);
const RAM_FOOTER = encodeSection('SECTION_FOOTER', { sectionId: RAM_SECTION_ID });

/** The header with other words. */
function header(magic: number, version: number): Edit {
  return (steps) => replace(steps, 'header', send('header', HEADER.encode({ magic, version })));
}

/** The machine type under another name. */
function machineName(rename: (machine: string) => string): Edit {
  return (steps, _plan, { machine }) =>
    replace(
      steps,
      'configuration',
      send('configuration', encodeSection('CONFIGURATION', { machine: rename(machine) })),
    );
}

/** Subsections behind the configuration, in place of the recorded ones. */
function subsections(...parts: readonly Uint8Array[]): Edit {
  return (steps) => replace(steps, 'subsections', send('subsections', ...parts));
}

/** A byte, or more, where a section must begin, when the peer has opened its return path. */
function stray(...bytes: readonly number[]): Edit {
  return (steps) => inSetup(steps, send('stray', Uint8Array.from(bytes)));
}

/** The START of `ram` under other names. */
function announced(values: { idstr?: string; instanceId?: number; versionId?: number }): Edit {
  const start = { sectionId: RAM_SECTION_ID, idstr: 'ram', instanceId: 0, versionId: 4, ...values };
  return (steps) => inSetup(steps, send('start', encodeSection('SECTION_START', start)));
}

/** The footer of the first part, changed. */
function footer(...bytes: readonly Uint8Array[]): Edit {
  return (steps) =>
    replace(
      before(steps, 'part', ...probe(0x104)),
      'end of part',
      send('end of part', encodeEos(), ...bytes),
    );
}

/** The stream up to a step, and then its end. */
function cutBefore(steps: readonly Step[], label: string): Step[] {
  return [
    ...steps.slice(0, findStep(steps, label)),
    { label: 'the end of the stream', do: 'close' },
    { label: 'the end of the connection', do: 'await-end' },
  ];
}

/** Unannounced: a section id that no START or FULL gave. */
const UNANNOUNCED = 0x7777;

/** The rules. */
export const FRAMING_RULES: readonly Rule[] = [
  destinationRule(
    'D1',
    'A stream whose first word is not 0x5145564d is refused.',
    refused('another magic', 'failed', header(STREAM_MAGIC + 1, STREAM_VERSION)),
  ),
  destinationRule(
    'D2',
    'Any stream version but 3 is refused.',
    refused('stream version 2', 'failed', header(STREAM_MAGIC, 2)),
    refused('stream version 4', 'failed', header(STREAM_MAGIC, 4)),
  ),
  destinationRule(
    'D3',
    'A header that no configuration follows is refused.',
    refused('no configuration', 'failed', (steps) => without(steps, 'configuration', 'subsections')),
  ),
  destinationRule(
    'D4',
    "A machine type that differs from one's own within its length is refused; a prefix of it is taken, even an empty one.",
    refused(
      'another machine type',
      'failed',
      machineName((machine) => `x${machine.slice(1)}`),
    ),
    refused(
      'a longer machine type',
      'failed',
      machineName((machine) => `${machine}x`),
    ),
    accepted(
      'a prefix of the machine type',
      machineName((machine) => machine.slice(0, -1)),
    ),
    accepted(
      'an empty machine type',
      machineName(() => ''),
    ),
  ),
  destinationRule(
    'D5',
    'Subsections of the configuration are taken in the order in which they come, up to the first byte that is not 0x05; one of an unknown name is refused.',
    accepted(
      'two subsections that change nothing',
      subsections(
        encodeConfigurationSubsection('configuration/target-page-bits', { bits: 12 }),
        encodeConfigurationSubsection('configuration/capabilities', { names: [] }),
      ),
    ),
    refused(
      'an unknown subsection',
      'failed',
      subsections(
        Uint8Array.of(SUBSECTION),
        SUBSECTION_HEAD.encode({ subsection: 'configuration/nosuch', versionId: 1 }),
      ),
    ),
  ),
  destinationRule(
    'D6',
    "Target page bits that differ from one's own are refused; where they are not told, they are the least of the target.",
    look('no target page bits', HONEST, [completes()]),
    refused(
      'other target page bits',
      'failed',
      subsections(encodeConfigurationSubsection('configuration/target-page-bits', { bits: 13 })),
    ),
  ),
  destinationRule(
    'D7',
    'A capability that must be on at both ends is refused if it is on at one only, and so is one that is unknown.',
    refused(
      'x-ignore-shared at the source only',
      'failed',
      subsections(
        encodeConfigurationSubsection('configuration/capabilities', { names: ['x-ignore-shared'] }),
      ),
    ),
    refused(
      'an unknown capability',
      'failed',
      subsections(encodeConfigurationSubsection('configuration/capabilities', { names: ['nosuch'] })),
    ),
  ),
  destinationRule(
    'D8',
    "A UUID that differs from one's own is refused; where one has none of one's own, any is taken.",
    accepted(
      'a UUID, where the peer has none',
      subsections(encodeConfigurationSubsection('configuration/uuid', { uuid: FOREIGN_UUID })),
    ),
    refused(
      'another UUID than that of the peer',
      'failed',
      subsections(encodeConfigurationSubsection('configuration/uuid', { uuid: FOREIGN_UUID })),
      { variant: 'uuid' },
    ),
  ),
  destinationRule(
    'D9',
    'A byte that is no section type is refused where a section must begin.',
    refused('section type 0x09', 'failed', stray(0x09, 0, 0, 0, 0)),
    refused('a footer behind no section', 'failed', stray(0x7e, 0, 0, 0, 2)),
    refused('a VM description before EOF', 'failed', stray(0x06, 0, 0, 0, 0)),
  ),
  destinationRule(
    'D10',
    'A section whose name is empty or unknown, or whose instance is unknown, is refused.',
    refused('a section without a name', 'failed', announced({ idstr: '' })),
    refused('a section of an unknown device', 'failed', announced({ idstr: 'nosuch', versionId: 1 })),
    refused('an unknown instance of a section', 'failed', announced({ instanceId: 7 })),
  ),
  destinationRule(
    'D11',
    "A section version above one's own is refused.",
    refused('version 5 of ram', 'failed', announced({ versionId: 5 })),
  ),
  destinationRule(
    'D12',
    'A ram section of another version than 4 is refused.',
    refused('version 3 of ram', 'failed', (steps, _plan, { blocks }) =>
      replace(
        inSetup(steps),
        'ram list',
        send('ram list', ramSection(3), ramStart(blocks).subarray(ramSection(3).length)),
      ),
    ),
  ),
  destinationRule(
    'D13',
    'PART and END of a section id that no START or FULL announced are refused.',
    ...(['SECTION_PART', 'SECTION_END'] as const).map((name) =>
      refused(`${name} of an id that was not announced`, 'failed', (steps) =>
        inPrecopy(steps, send('unannounced', encodeSection(name, { sectionId: UNANNOUNCED }))),
      ),
    ),
  ),
  destinationRule(
    'D14',
    'PART and END are loaded alike, and so are START and FULL.',
    accepted('END in the place of a PART', (steps) =>
      replace(steps, 'part', send('part', encodeSection('SECTION_END', { sectionId: RAM_SECTION_ID }))),
    ),
    accepted('FULL in the place of START', (steps, _plan, { blocks }) => {
      const full = ramStart(blocks);
      full[0] = 0x04;
      return replace(steps, 'ram list', send('ram list', full));
    }),
  ),
  destinationRule(
    'D15',
    'A footer that does not begin with 0x7e, or has another section id, is refused.',
    refused(
      'a footer of another section',
      'failed',
      footer(encodeSection('SECTION_FOOTER', { sectionId: 3 })),
    ),
    refused('no footer', 'failed', footer()),
    refused(
      'a footer that begins with another byte',
      'failed',
      footer(Uint8Array.of(0x7d), RAM_FOOTER.subarray(1)),
    ),
  ),
  destinationRule(
    'D16',
    'The end of the input before EOF is an error: fatal before the guest runs, a pause from then on.',
    refused('the stream ends in precopy', 'failed', (steps) => cutBefore(inPrecopy(steps), 'ping 2')),
    refused('the stream ends when the guest runs', 'paused', (steps) =>
      cutBefore(inRunning(steps), 'postcopy part'),
    ),
    refused('the stream ends before EOF', 'paused', (steps) => cutBefore(inRunning(steps), 'eof')),
  ),
  destinationRule(
    'D17',
    'After EOF of a precopy stream a VM description is taken, and anything else does no harm.',
    look('a precopy migration with a VM description', PRECOPY, [completes()]),
    look(
      'a precopy migration with other bytes behind EOF',
      scripted('a precopy migration with other bytes behind EOF', (subject) =>
        precopyScript(subject, new MigrationPlan(subject), {
          behindEof: [send('other bytes', Uint8Array.of(0x55, 0x55, 0x55))],
        }),
      ),
      [completes()],
    ),
    look(
      'a precopy migration without a return path',
      scripted('a precopy migration without a return path', (subject) =>
        precopyScript(subject, new MigrationPlan(subject), { isAdvised: false, hasReturnPath: false }),
      ),
      [completesSilently()],
    ),
  ),
  destinationRule(
    'D18',
    'Nothing is awaited after EOF of a postcopy stream, and what comes there is ignored.',
    look('EOF with nothing behind it', HONEST, [completes()]),
    accepted('bytes behind EOF of postcopy', (steps) =>
      replace(steps, 'eof', send('eof', Uint8Array.of(0x00, 0x55, 0x55, 0x06))),
    ),
  ),
];
