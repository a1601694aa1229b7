#!/bin/bash
# Records the page-access traces of examples/traces on a Debian machine.
#
# usage: scripts/make-trace.sh [sqlite3 | sort] ...     (default: both)
#
# Needs valgrind, sqlite3 and the licences of Debian's base-files. Lackey's log of sqlite3 has 3.2 GB: it goes
# through a pipe and never to disk. What examples/traces/README.md says about reproducing holds for this script.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
licenses=/usr/share/common-licenses

for tool in valgrind sqlite3 sort node; do
  command -v "$tool" >/dev/null || { echo "make-trace: $tool is missing" >&2; exit 1; }
done
# Recording installs and compiles nothing by itself.
[ -f "$root/dist/src/machine/trace.js" ] || { echo "make-trace: compile first: npm run build" >&2; exit 1; }
# Where the environment lies on the stack moves the stack itself: all recordings get the same one.
clean=(env -i PATH=/usr/bin:/bin LC_ALL=C)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# The lines of Debian's licences that are not empty: licence, line number, text. Links to another version are left out.
for license in "$licenses"/*; do
  [ -L "$license" ] || "${clean[@]}" awk -v license="${license##*/}" -v OFS='\t' \
    'NF > 0 { gsub(/[\t"]/, " "); print license, FNR, $0 }' "$license"
done > lines.tsv
cut -f 3 lines.tsv > lines.txt

cat > lines.sql <<'SQL'
CREATE TABLE line(license TEXT, number INTEGER, text TEXT);
.mode tabs
.import lines.tsv line
CREATE INDEX line_by_text ON line(text);
CREATE UNIQUE INDEX line_by_place ON line(license, number);
-- The lines that stand in the most licences.
SELECT text, count(DISTINCT license) AS licenses FROM line GROUP BY text ORDER BY licenses DESC, text LIMIT 3;
-- The pairs of licences that share the most lines.
CREATE TABLE shared AS
  SELECT a.license AS one, b.license AS other, a.text FROM line a JOIN line b ON b.text = a.text AND b.license > a.license;
SELECT one, other, count(*) AS lines FROM shared GROUP BY one, other ORDER BY lines DESC, one, other LIMIT 3;
-- What follows a line that several licences have.
SELECT next.text, count(*) AS uses
  FROM line JOIN line next ON next.license = line.license AND next.number = line.number + 1
  WHERE line.text IN (SELECT text FROM shared) GROUP BY next.text ORDER BY uses DESC, next.text LIMIT 3;
SELECT license, count(*), sum(length(text)) FROM line GROUP BY license ORDER BY license;
SQL

# record NAME PROGRAM FOLD COMMAND...
# Traces the command, whose own output goes to stderr, to examples/traces/NAME.trace.gz.
record() {
  local name=$1 program=$2 fold=$3 source
  shift 3
  source="$(valgrind --version) lackey, data, fold=$fold"
  "${clean[@]}" valgrind --tool=lackey --trace-mem=yes --log-fd=9 "$@" 9>&1 >&2 |
    node "$root/scripts/lackey-to-trace.mjs" --program "$program" --source "$source" --fold "$fold" --output "$name.trace.gz"
  # Only a recording that went well to its end replaces the one before.
  mv "$name.trace.gz" "$root/examples/traces/"
}

[ $# -gt 0 ] || set -- sqlite3 sort
for name in "$@"; do
  case $name in
    sqlite3)
      version=$(sqlite3 --version | cut -d ' ' -f 1)
      record sqlite3 "sqlite3 $version" 32 sqlite3 -batch -init /dev/null :memory: < lines.sql
      ;;
    sort)
      version=$(sort --version | sed -n '1s/.* //p')
      record sort "sort $version" 1 sort --parallel=1 --buffer-size=4M lines.txt
      ;;
    *)
      echo "make-trace: expected sqlite3 or sort, found $name" >&2
      exit 2
      ;;
  esac
done
