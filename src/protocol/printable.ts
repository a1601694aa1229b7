// Makes text that came off the wire safe to print.

/**
 * Text of a peer made safe to print: block names and reasons come off the wire, and a control character in them could
 * move the cursor or change the terminal. Each becomes `?`.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}
