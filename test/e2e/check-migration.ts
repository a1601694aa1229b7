// Runs one migration between two processes and checks what both ends say of it.
import t from 'tap';
import { migrate } from './command.ts';

/** A migration that completes. */
export interface Case {
  readonly what: string;
  readonly source: readonly string[];
  readonly destination: readonly string[];
  readonly address?: string;
  /** Whether the migration ends in postcopy. */
  readonly postcopy: boolean;
}

/** Short forms of options. */
export const ram = (size: string, page: string) => ['--block', `pc.ram=${size}@${page}`];
export const to = (page: string) => ['--host-page', page];
export const NOW = ['--postcopy-after', 'now'];

/** One test for each case. */
export function testMigrations(cases: readonly Case[]): void {
  for (const { what, source, destination, address, postcopy } of cases) {
    t.test(what, async (t) => {
      const downtime = postcopy ? ['--downtime-limit', '0'] : [];
      const ends = await migrate({
        source: [...downtime, ...source],
        destination,
        ...(address === undefined ? {} : { address }),
      });
      t.equal(ends.source.exitCode, 0, ends.source.stderr || JSON.stringify(ends.source.result?.error));
      t.equal(
        ends.destination.exitCode,
        0,
        ends.destination.stderr || JSON.stringify(ends.destination.result?.error),
      );
      const [from, result] = [ends.source.result, ends.destination.result];
      t.equal(from.status, 'completed');
      t.equal(result.status, 'completed');
      t.equal(result.guestVerified, true, result.guestVerification);
      t.equal('postcopy-active' in from.times.phases, postcopy, 'as precopy or as postcopy');
      t.same(
        result.guest?.vcpus.map(({ program }) => program),
        from.guest?.vcpus.map(({ program }) => program),
      );
      const lengthPages = result.pages.precopy! + result.pages.postcopyBackground! + result.pages.requested!;
      const sentPages = from.pages.precopy! + from.pages.postcopyBackground! + from.pages.requested!;
      t.equal(lengthPages, sentPages, 'both ends count the same pages');
      t.equal(result.bytes.wire, from.bytes.wire, 'and the same bytes');
      t.equal(result.bytes.discarded, from.bytes.discarded);
      t.equal(result.pages.duplicate, 0);
      if (!destination.includes('--no-negotiate'))
        t.ok(
          result.negotiated.every((block) =>
            from.negotiated.some(
              (other) =>
                other.block === block.block &&
                other.destinationHostPageBytes === block.destinationHostPageBytes,
            ),
          ),
        );
    });
  }
}
