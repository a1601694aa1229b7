// Runs the tests and says what came of them: failures in full, skipped tests by name, the counts in the last line.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

/** All that tap printed, for who wants more than the failures; a part of the tests leaves the log of all alone. */
const LOG = process.argv.length > 2 ? '.tap/part.tap' : '.tap/test.tap';
/** CI must not be green because something was not there to be tested. */
const skipIsFailure = process.env.CI === 'true';

mkdirSync('.tap', { recursive: true });
const log = createWriteStream(LOG);

/** Lines of failed assertions and their diagnostics among the lines of one test file. */
function failures(lines) {
  const kept = [];
  let isInDiagnostics = false;
  for (const line of lines) {
    if (/^\s*not ok /.test(line)) kept.push(line);
    else if (isInDiagnostics || (/^\s*---$/.test(line) && kept.at(-1)?.includes('not ok '))) {
      isInDiagnostics = !/^\s*\.\.\.$/.test(line);
      kept.push(line);
    }
  }
  return kept;
}

/** What tap counted, from its last comment; undefined until it came. */
let totals;
const skipped = [];
/** Skipped for what nobody can install where a host refuses it: told as loudly, and no failure. */
const lacking = [];
let file = [];

function take(line) {
  log.write(`${line}\n`);
  file.push(line);
  const directive = /^\s*(?:not )?ok \d+ - (.*?) # (SKIP|TODO)\b ?(.*)$/i.exec(line);
  if (directive !== null) {
    const name = directive.slice(1).filter(Boolean).join(' - ');
    (/^needs (huge pages|leave to capture)/.test(directive[3] ?? '') ? lacking : skipped).push(name);
  }
  if (/^ok \d+ /.test(line)) {
    console.log(line.replace(/^ok \d+ - /, 'ok   '));
    file = [];
  } else if (/^not ok \d+ /.test(line)) {
    console.log(line.replace(/^not ok \d+ - /, 'FAIL '));
    for (const failure of failures(file)) console.log(failure);
  } else if (line.startsWith('# Subtest: ')) {
    file = [line];
  }
  const summary = /^# \{ (total: .*) \}$/.exec(line);
  if (summary !== null) totals = Object.fromEntries(summary[1].split(', ').map((part) => part.split(': ')));
}

const args = ['node_modules/.bin/tap', '--reporter=tap', ...process.argv.slice(2)];
const tap = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
const ended = new Promise((resolve) => {
  tap.once('close', (code, signal) => resolve(code ?? signal));
});
for await (const line of createInterface({ input: tap.stdout })) take(line);
const exit = await ended;
log.end();

if (lacking.length > 0) {
  console.log(`\n${'!'.repeat(80)}\nSKIPPED, and so not tested, for this host refuses what they need:`);
  for (const name of lacking) console.log(`  ${name}`);
  console.log('!'.repeat(80));
}
if (skipped.length > 0) {
  console.log(`\n${'!'.repeat(80)}\nSKIPPED, and so not tested${skipIsFailure ? ' (a failure here)' : ''}:`);
  for (const name of skipped) console.log(`  ${name}`);
  console.log('!'.repeat(80));
}
const passed = Number(totals?.pass ?? 0);
let failed = Number(totals?.fail ?? 0) + (skipIsFailure ? skipped.length : 0);
// A run that ended badly is never told as one without failures; nor is one that tested nothing.
if (failed === 0 && (exit !== 0 || totals === undefined || passed === 0)) {
  console.log(`\ntap ended with ${exit} and ${passed} assertions`);
  failed = 1;
}
console.log(`\nall output of tap: ${LOG}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
