// Text on a terminal: cut, padded, wrapped, in columns.

/** Cuts a text to a width, the end replaced by `…`. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Breaks a text into lines of at most `width`, all but the first indented. Words longer than a line are broken. */
export function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').filter((part) => part !== '')) {
    let rest = word;
    if (line.trim() !== '' && line.length + 1 + rest.length > width) {
      lines.push(line);
      line = indent;
    }
    line += line.trim() === '' ? rest : ` ${rest}`;
    while (line.length > width) {
      rest = line.slice(width);
      lines.push(line.slice(0, width));
      line = indent + rest;
    }
  }
  if (line.trim() !== '') lines.push(line);
  return lines;
}

/** Rows as lines of aligned columns, two spaces apart. The first column is left-aligned and cut, the others right-aligned. */
export function alignColumns(rows: readonly (readonly string[])[], firstWidth: number): string[] {
  const widths: number[] = [];
  const cells = rows.map((row) => row.map((cell, i) => (i === 0 ? cut(cell, firstWidth) : cell)));
  for (const row of cells) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return cells.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}
