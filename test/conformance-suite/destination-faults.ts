// Destinations that break a rule each: what they answer, ask for, take, and tell.
import { ProtocolError } from '../../src/errors.ts';
import type { RamImage } from '../../src/machine/ram-block.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { encodeReturnPath } from '../../src/protocol/return-path-messages.ts';
import { encodeHeader } from '../../src/protocol/sections.ts';
import type { Answer, DestinationFault } from './destination-in-process.ts';
import type { PlantedDestination } from './planted-fault.ts';

const pongValue = ({ values }: Answer): number => values['value'] as number;
const isPong = ({ name }: Answer): boolean => name === 'PONG';
const isShut = ({ name }: Answer): boolean => name === 'SHUT';
const SHUT_0: Answer = { name: 'SHUT', values: { value: 0 } };

/** Changes each answer by itself. */
function answers(change: (answer: Answer) => readonly Answer[]): DestinationFault {
  return { answer: () => change };
}

/** Changes where and how much is asked for. */
function requests(change: (request: Answer) => Record<string, unknown>): DestinationFault {
  return { request: () => (request) => [{ ...request, values: { ...request.values, ...change(request) } }] };
}

/** Repairs the header of the stream before it is looked at. */
function withHeader(start: number, end: number): DestinationFault {
  return {
    input: () => {
      let at = 0;
      return (bytes) => {
        const good = encodeHeader();
        for (let offset = Math.max(at, start); offset < Math.min(at + bytes.length, end); offset += 1) {
          bytes[offset - at] = good[offset]!;
        }
        at += bytes.length;
        return bytes;
      };
    },
  };
}

/** Refuses a record that is good. */
function refuses(name: string, from = 1): DestinationFault {
  return {
    refuses: () => {
      let count = 0;
      return (record) => {
        if (record.name !== name) return;
        count += 1;
        if (count >= from) throw new ProtocolError('unknown-command', `no ${name} here`);
      };
    },
  };
}

/** Says SHUT at a record, and not where it belongs. */
function shutsAt(name: string): DestinationFault {
  return {
    record: () => (record, hands) => {
      if (record.name === name) hands.say(SHUT_0);
    },
    answer: () => (answer) => (isShut(answer) ? [] : [answer]),
  };
}

/** Discards change nothing. */
function keepsDiscarded({ blocks }: RamImage): void {
  for (const block of blocks) block.discardRange = () => undefined;
}

/** A page that has come is not written again. */
function keepsFirst({ blocks }: RamImage): void {
  for (const block of blocks) {
    const { copyIn } = block;
    block.copyIn = (offset, ...bytes) => {
      if (!block.received.test(Math.floor(offset / 4096))) copyIn.call(block, offset, ...bytes);
    };
  }
}

const ASKED_FOR_PRESENT = encodeReturnPath('REQ_PAGES_ID', { start: 0, length: 16_384, block: 'ram0' });

/** All of them. */
export const DESTINATION_FAULTS: readonly PlantedDestination[] = [
  {
    what: 'answers no PING',
    fault: answers((answer) => (isPong(answer) ? [] : [answer])),
    caughtBy: ['D22'],
  },
  {
    what: 'answers PING with another value',
    fault: answers((answer) => [
      isPong(answer) ? { name: 'PONG', values: { value: pongValue(answer) ^ 1 } } : answer,
    ]),
    caughtBy: ['D22'],
  },
  {
    what: 'does not answer the PING in the package',
    fault: answers((answer) => (isPong(answer) && pongValue(answer) === 3 ? [] : [answer])),
    caughtBy: ['D22'],
  },
  {
    what: 'answers each PING twice',
    fault: answers((answer) => (isPong(answer) ? [answer, answer] : [answer])),
    caughtBy: ['D22'],
  },
  { what: 'says SHUT when it has read the package', fault: shutsAt('PACKAGE'), caughtBy: ['D95'] },
  { what: 'says SHUT at EOF, whatever is on the preempt channel', fault: shutsAt('EOF'), caughtBy: ['D103'] },
  {
    what: 'says SHUT with 1',
    fault: answers((answer) => [isShut(answer) ? { name: 'SHUT', values: { value: 1 } } : answer]),
    caughtBy: ['D95'],
  },
  {
    what: 'closes without SHUT',
    fault: answers((answer) => (isShut(answer) ? [] : [answer])),
    caughtBy: ['D95'],
  },
  {
    what: 'says SHUT twice',
    fault: answers((answer) => (isShut(answer) ? [answer, answer] : [answer])),
    caughtBy: ['D95'],
  },
  {
    what: 'asks for a page behind SHUT',
    fault: answers((answer) =>
      isShut(answer) ? [answer, { name: 'REQ_PAGES', values: { start: 0, length: 16_384 } }] : [answer],
    ),
    caughtBy: ['D95'],
  },
  {
    what: 'asks for a target page in the middle of a host page',
    fault: requests(({ values }) => ({ start: (values['start'] as number) + 4096 })),
    caughtBy: ['D90'],
  },
  {
    what: 'asks for a part of a host page',
    fault: requests(() => ({ length: 4096 })),
    caughtBy: ['D90'],
  },
  {
    what: 'asks for two host pages at once',
    fault: requests(({ values }) => ({ length: 2 * (values['length'] as number) })),
    caughtBy: ['D90'],
  },
  {
    what: 'asks for a page that it has',
    fault: {
      request: () => (request, hands) => {
        hands.sayBytes(ASKED_FOR_PRESENT);
        return [{ name: 'REQ_PAGES_ID', values: { block: 'ram0', ...request.values } }];
      },
    },
    caughtBy: ['D92'],
  },
  {
    what: 'does not name the block that it asks for first',
    fault: {
      request: () => {
        let isFirst = true;
        return ({ values }) => {
          const name = isFirst ? 'REQ_PAGES' : 'REQ_PAGES_ID';
          isFirst = false;
          return [{ name, values: { block: 'ram0', ...values } }];
        };
      },
    },
    caughtBy: ['D91'],
  },
  { what: 'asks for nothing, though its guest waits', fault: { request: () => () => [] }, caughtBy: ['D90'] },
  { what: 'takes any magic', fault: withHeader(0, 4), caughtBy: ['D1'] },
  { what: 'takes any version of the stream', fault: withHeader(4, 8), caughtBy: ['D2'] },
  { what: 'takes a stream of another machine', fault: { machine: 'any' }, caughtBy: ['D4'] },
  { what: 'overlooks a wrong footer', fault: { overlooks: /^D15 / }, caughtBy: ['D15'] },
  { what: 'overlooks an unknown section type', fault: { overlooks: /^D9 / }, caughtBy: ['D9'] },
  {
    what: 'overlooks a PART of a section that was never announced',
    fault: { overlooks: /^D13 / },
    caughtBy: ['D13'],
  },
  { what: 'overlooks an unknown command', fault: { overlooks: /^D20 / }, caughtBy: ['D20'] },
  { what: 'overlooks a wrong length of a command', fault: { overlooks: /^D21 / }, caughtBy: ['D21'] },
  {
    what: 'takes the end of the connection for that of the stream',
    fault: { overlooks: /^D16 / },
    caughtBy: ['D16'],
  },
  { what: 'takes ADVISE a second time', fault: { overlooks: /^D28 / }, caughtBy: ['D28'] },
  { what: 'takes ADVISE for other page sizes', fault: { overlooks: /^D29 / }, caughtBy: ['D29'] },
  { what: 'takes an unaligned discard', fault: { overlooks: /^D(39|40) / }, caughtBy: ['D39', 'D40'] },
  { what: 'takes a discard beyond its block', fault: { overlooks: /^D41 / }, caughtBy: ['D41'] },
  { what: 'takes a discard when the guest runs', fault: { overlooks: /^D33 / }, caughtBy: ['D33'] },
  { what: 'takes a package without RUN', fault: { overlooks: /^D51 / }, caughtBy: ['D51'] },
  { what: 'takes RUN before LISTEN', fault: { overlooks: /^D48 / }, caughtBy: ['D48'] },
  { what: 'takes a page beyond its block', fault: { overlooks: /^D71 / }, caughtBy: ['D71'] },
  { what: 'takes a page of an unknown block', fault: { overlooks: /^D70 / }, caughtBy: ['D70'] },
  { what: 'takes two flags in a page word', fault: { overlooks: /^D66 / }, caughtBy: ['D66'] },
  { what: 'takes XBZRLE in postcopy', fault: { overlooks: /^D7[56] / }, caughtBy: ['D76'] },
  { what: 'takes a split host page', fault: { overlooks: /^D79 / }, caughtBy: ['D79'] },
  { what: 'takes a page twice in postcopy', fault: { overlooks: /^D83 / }, caughtBy: ['D83'] },
  {
    what: 'is as lenient as QEMU 7.2: fills ZERO pages with any byte, takes a target page twice, completes without a page',
    fault: { profile: '7.2' },
    caughtBy: ['D72', 'D81', 'D85'],
  },
  { what: 'refuses a second OPEN_RETURN_PATH', fault: refuses('OPEN_RETURN_PATH', 2), caughtBy: ['D23'] },
  { what: 'refuses RESUME outside of a recovery', fault: refuses('POSTCOPY_RESUME'), caughtBy: ['D53'] },
  {
    what: 'answers RESUME outside of a recovery',
    fault: {
      record: () => (record, hands) => {
        if (record.name === 'POSTCOPY_RESUME') hands.say({ name: 'RESUME_ACK', values: { value: 1 } });
      },
    },
    caughtBy: ['D53'],
  },
  {
    what: 'answers RECV_BITMAP outside of a recovery',
    fault: {
      record: () => (record, hands) => {
        if (record.name !== 'RECV_BITMAP') return;
        const bitmap = joinBytes([Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 8), new Uint8Array(8)]);
        const mark = Uint8Array.of(1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef);
        hands.say({ name: 'RECV_BITMAP', values: { block: record.block } });
        hands.sayBytes(joinBytes([bitmap, mark]));
      },
    },
    caughtBy: ['D56'],
  },
  {
    what: 'has one byte of RAM wrong',
    fault: { spoil: ({ blocks }) => blocks[1]!.copyIn(8192, Uint8Array.of(0xa5), 0, 1) },
    caughtBy: ['D77', 'D95'],
  },
  {
    what: 'fails, where it has to pause and keep the guest',
    fault: { status: (status) => (status === 'postcopy-paused' ? 'failed' : status) },
    caughtBy: ['D97'],
  },
  { what: 'stays connected after an error', fault: { staysOpen: true }, caughtBy: ['D97'] },
  {
    what: 'answers the PING in the package before it has looked at it',
    fault: {
      record: () => (record, hands) => {
        if (record.name === 'PACKAGED') hands.say({ name: 'PONG', values: { value: 3 } });
      },
      answer: () => (answer) => (isPong(answer) && pongValue(answer) === 3 ? [] : [answer]),
    },
    caughtBy: ['D24'],
  },
  { what: 'keeps what a discard should drop', fault: { memory: keepsDiscarded }, caughtBy: ['D43'] },
  { what: 'keeps the first of two pages in precopy', fault: { memory: keepsFirst }, caughtBy: ['D73'] },
  {
    what: 'answers the negotiation, and tells its host pages then',
    fault: {
      answer: () => {
        const held: Answer[] = [];
        return (answer) => {
          if (answer.name === 'HOST_PAGE') held.push(answer);
          else if (isPong(answer)) return [answer, ...held.splice(0)];
          return answer.name === 'HOST_PAGE' ? [] : [answer];
        };
      },
    },
    caughtBy: ['N2'],
  },
  {
    what: 'tells the host page of a block before that of all others',
    fault: {
      answer: () => {
        let held: Answer | undefined;
        return (answer) => {
          const isDefault = answer.name === 'HOST_PAGE' && answer.values['block'] === '';
          if (isDefault) {
            held = answer;
            return [];
          }
          const later = held === undefined ? [] : [held];
          held = undefined;
          return [answer, ...later];
        };
      },
    },
    caughtBy: ['N4'],
  },
  {
    what: 'tells the host page of a block twice',
    fault: answers((answer) =>
      answer.name === 'HOST_PAGE' && answer.values['block'] === 'ram0' ? [answer, answer] : [answer],
    ),
    caughtBy: ['N4'],
  },
  {
    what: 'says why it leaves to a source that cannot read it',
    fault: { saysWhyToAll: true },
    caughtBy: ['N12'],
  },
  {
    what: 'tells its host pages to a source that did not ask',
    fault: answers((answer) =>
      isPong(answer) && pongValue(answer) === 1
        ? [{ name: 'HOST_PAGE', values: { block: '', hostPage: 4096, placementPage: 4096 } }, answer]
        : [answer],
    ),
    caughtBy: ['N5'],
  },
];
