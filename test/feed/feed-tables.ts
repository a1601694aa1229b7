// Prints the tables of docs/feed.md and docs/metrics.md from their declarations.
import type { FeedFields } from '../../src/feed/feed-fields.ts';
import { FEED_MESSAGES } from '../../src/feed/feed-messages.ts';
import { METRICS } from '../../src/feed/run-metrics.ts';

/** The frames: a list, since their fields do not fit into a table. */
export function framesText(): string {
  return Object.entries(FEED_MESSAGES)
    .map(([kind, { doc, fields }]) => {
      const listed = Object.entries(fields as FeedFields).map(
        ([name, field]) => `  - \`${name}\`: ${field.kind}`,
      );
      return [`- **${kind}** – ${doc}`, ...listed].join('\n');
    })
    .join('\n');
}

/** The rows of the metrics. */
export function metricRows(): string {
  return Object.entries(METRICS)
    .map(
      ([name, { type, labels, help }]) => `| \`${name}\` | ${type} | ${labels.join(', ') || '–'} | ${help} |`,
    )
    .join('\n');
}

/** A document with what stands between the marks of a text replaced. */
export function between(document: string, from: string, to: string, text: string): string {
  const start = document.indexOf(from) + from.length;
  return `${document.slice(0, start)}${text}${document.slice(document.indexOf(to, start))}`;
}
