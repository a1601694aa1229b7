// The rules of the destination about page records: their flags, blocks and offsets (D66 to D76), before LISTEN mostly.
import { joinBytes } from '../protocol/message.ts';
import { RAM_FLAG, TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { accepted, destinationRule, look, refused } from './destination-rule.ts';
import {
  type Edit,
  edited,
  inPostcopyPart,
  inPrecopyPart,
  movingOf,
  precopyScript,
} from './destination-scripts.ts';
import { completes, expects } from './expectations.ts';
import { endOfRam, pageLabel, ramPart } from './honest-script.ts';
import { encodePage, filledPage, MigrationPlan } from './migration-plan.ts';
import { scripted } from './play-script.ts';
import { namedRecord, rawRamList, rawRecord } from './raw-record.ts';
import type { Check, Rule } from './rule.ts';
import { after, before, replace, send } from './script.ts';

const { PAGE, ZERO, EOS, CONTINUE, XBZRLE, HOOK, COMPRESS_PAGE, MULTIFD_FLUSH, FULL } = RAM_FLAG;
const BODY = new Uint8Array(TARGET_PAGE_BYTES);

/** A record with the first block's name, put in before LISTEN and behind it: the first fails, the second pauses. */
function refusedRecord(what: string, offset: number, flags: number, ...body: readonly Uint8Array[]): Check[] {
  const record: (plan: MigrationPlan) => Uint8Array = (plan) =>
    namedRecord(plan.blocks[0]!.name, offset, flags, ...body);
  return refusedBytes(what, record);
}

/** Bytes in the place of a record, before LISTEN and behind it. */
function refusedBytes(what: string, bytes: (plan: MigrationPlan) => Uint8Array): Check[] {
  return [
    refused(`${what}, in precopy`, 'failed', (steps, plan) => inPrecopyPart(steps, bytes(plan))),
    refused(`${what}, in postcopy`, 'paused', (steps, plan) => inPostcopyPart(steps, bytes(plan))),
  ];
}

const inPrecopyOnly = (checks: readonly Check[]): Check => checks[0]!;

/** The precopy pages of the first block in two sections, the second of which begins without a name. */
const acrossSections: Edit = (steps, plan) => {
  const block = plan.blocks[0]!;
  const first = plan.pageRecord(block, 0, true);
  const whole = plan.precopyPages(block);
  return replace(
    steps,
    `precopy ${block.name}`,
    send('first page', first, endOfRam()),
    send('second part', ramPart(), encodePage(block.name, 0, plan.finalPage(block, 0), false)),
    send(`precopy ${block.name}`, whole),
  );
};

/** The first record of postcopy without a name: the channel still means the block of the last one of precopy. */
const acrossListen: Edit = (steps, plan) => {
  const block = movingOf(plan);
  const [hostPage] = block.postcopy;
  const first = hostPage! * block.pagesPerHostPage;
  const records = Array.from({ length: block.pagesPerHostPage }, (_, at) =>
    plan.pageRecord(block, first + at, false),
  );
  const named = encodePage(block.name, 0, plan.finalPage(block, 0), true);
  return replace(
    before(steps, 'end of part', send('named last', named)),
    pageLabel(block, hostPage!),
    send(pageLabel(block, hostPage!), ...records),
  );
};

/** The fill byte of a zero page that is none. */
const FILL = 0x5a;

/** A page of the first block in precopy, filled by a ZERO record that is none. */
const filled: Edit = (steps, plan) => {
  const block = plan.blocks[0]!;
  return after(
    steps,
    `precopy ${block.name}`,
    send('filled', namedRecord(block.name, 0, ZERO, Uint8Array.of(FILL))),
  );
};

const filledPageExpected = completes({
  pages: (plan) => ({
    block: plan.blocks[0]!.name,
    pages: new Map([[0, new Uint8Array(TARGET_PAGE_BYTES).fill(FILL)]]),
  }),
});

/** The rules. */
export const PAGE_RECORD_RULES: readonly Rule[] = [
  destinationRule(
    'D66',
    'Beside CONTINUE a record has exactly one flag that is known; any other combination is refused.',
    ...refusedRecord('PAGE and ZERO at once', 0, PAGE | ZERO, BODY),
    inPrecopyOnly(refusedRecord('PAGE and XBZRLE at once', 0, PAGE | XBZRLE, BODY)),
    inPrecopyOnly(refusedBytes('CONTINUE alone', () => rawRecord(0, CONTINUE))),
    inPrecopyOnly(refusedRecord('the obsolete flag FULL', 0, FULL, BODY)),
  ),
  destinationRule(
    'D67',
    'EOS with CONTINUE or with an offset is EOS.',
    accepted('EOS with CONTINUE and with an offset', (steps) =>
      before(
        before(
          steps,
          'end of part',
          send('eos', rawRecord(0, EOS | CONTINUE), endOfRam().subarray(8), ramPart()),
        ),
        'end of postcopy part',
        send('eos', rawRecord(TARGET_PAGE_BYTES, EOS), endOfRam().subarray(8), ramPart()),
      ),
    ),
  ),
  destinationRule(
    'D68',
    'CONTINUE before any record that names a block is refused.',
    refused('CONTINUE before any name', 'failed', (steps) =>
      inPrecopyPart(steps, rawRecord(0, PAGE | CONTINUE, BODY)),
    ),
  ),
  destinationRule(
    'D69',
    'CONTINUE means the block of the record before on this channel, whatever stands between them: EOS, sections, the switch to postcopy.',
    accepted('CONTINUE at the beginning of the second part', acrossSections),
    accepted('CONTINUE at the beginning of postcopy', acrossListen),
  ),
  destinationRule(
    'D70',
    'A page of an unknown block is refused.',
    ...refusedBytes('a page of an unknown block', () => namedRecord('nosuch', 0, PAGE, BODY)),
  ),
  destinationRule(
    'D71',
    'A page that lies behind its block is refused.',
    ...refusedBytes('a page behind its block', ({ blocks: [block] }) =>
      namedRecord(block!.name, block!.lengthBytes, PAGE, BODY),
    ),
  ),
  destinationRule(
    'D72',
    'A ZERO record with another byte than 0 fills the page with it at a 7.2, and is refused by others.',
    {
      what: 'a ZERO record of another byte, which fills',
      profiles: ['7.2'],
      scenario: edited('a ZERO record of another byte, which fills', filled),
      judge: expects(filledPageExpected),
    },
    ...refusedRecord('a ZERO record of another byte', 0, ZERO, Uint8Array.of(FILL)).map(
      (check): Check => ({ ...check, profiles: ['10.x', 'strict'] }),
    ),
  ),
  destinationRule(
    'D73',
    'In precopy a page may come again and again; the last one counts.',
    look(
      'pages that come several times in precopy',
      scripted('pages that come several times in precopy', (subject) => {
        const plan = new MigrationPlan(subject);
        const stale = plan.blocks.map((block) =>
          joinBytes([
            encodePage(block.name, 0, filledPage(block, 0, 1), true),
            encodePage(block.name, 0, filledPage(block, 0, 2), false),
          ]),
        );
        return before(
          precopyScript(subject, plan),
          `precopy ${plan.blocks[0]!.name}`,
          send('stale', ...stale),
        );
      }),
      [completes()],
    ),
  ),
  destinationRule(
    'D74',
    'Records of capabilities that are off are refused: COMPRESS_PAGE, HOOK, MULTIFD_FLUSH.',
    inPrecopyOnly(
      refusedRecord('a COMPRESS_PAGE record', 0, COMPRESS_PAGE, Uint8Array.of(0, 0, 0, 4, 1, 2, 3, 4)),
    ),
    inPrecopyOnly(refusedBytes('a HOOK record', () => rawRecord(0, HOOK))),
    {
      ...inPrecopyOnly(refusedBytes('a MULTIFD_FLUSH record', () => rawRecord(0, MULTIFD_FLUSH))),
      profiles: ['7.2', 'strict'],
    },
  ),
  destinationRule(
    'D75',
    'An XBZRLE record with another marker than 1, longer than a page, or badly encoded is refused.',
    inPrecopyOnly(
      refusedRecord('an XBZRLE record with the marker 2', 0, XBZRLE, Uint8Array.of(2, 0, 2, 0, 1, 7)),
    ),
    inPrecopyOnly(
      refusedRecord('an XBZRLE record longer than a page', 0, XBZRLE, Uint8Array.of(1, 0x20, 0), BODY, BODY),
    ),
    inPrecopyOnly(refusedRecord('an XBZRLE record that overruns its page', 0, XBZRLE, overrunningXbzrle())),
  ),
  destinationRule(
    'D76',
    'From LISTEN on XBZRLE, the RAM list and MULTIFD_FLUSH are refused.',
    refused('an XBZRLE record in postcopy', 'paused', (steps, plan) =>
      inPostcopyPart(steps, namedRecord(plan.blocks[0]!.name, 0, XBZRLE, Uint8Array.of(1, 0, 2, 0, 1, 7))),
    ),
    refused('a RAM list in postcopy', 'paused', (steps, plan) =>
      inPostcopyPart(steps, rawRamList(plan.blocks[0]!.lengthBytes, plan.blocks.slice(0, 1))),
    ),
    refused('a MULTIFD_FLUSH record in postcopy', 'paused', (steps) =>
      inPostcopyPart(steps, rawRecord(0, MULTIFD_FLUSH)),
    ),
  ),
];

/** Marker, length, a run of zeros as long as the page in ULEB128, and one byte more that does not fit in. */
function overrunningXbzrle(): Uint8Array {
  const encoded = Uint8Array.of(0x80, 0x20, 0x01, 0x07);
  return joinBytes([Uint8Array.of(1, 0, encoded.length), encoded]);
}
