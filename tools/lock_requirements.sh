#!/usr/bin/env bash
# Writes the locks requirements/dev.txt and requirements/sdk.txt anew from the lists beside them (*.in): the same packages and
# versions, with the digests of all files that the registry offers for each, so that pip installs nothing else.    (or: make lock)
#
# To add, update or remove a package, change its line in the list and run this. It resolves for Python 3.11.0, the oldest that is
# supported, and stops with the reason when versions do not fit together. What a listed package asks for gets into the lock even if
# the list lacks it; tools/tests/test_supply.py then fails until it is listed. A package that nothing needs any more stays until its
# line is removed.
#
#   --update    first sets each version in the lists to the newest that fits the others, never to an older one, and lists what
#               these ask for in addition    (or: make lock ARGS=--update)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

resolve() { # <list> <lock>, and options of uv
	.venv-sdk/bin/uv pip compile --quiet --python-version 3.11 --no-emit-index-url --no-header --no-annotate "${@:3}" \
		--output-file "$2" "$1" >/dev/null
}

update() { # <list>
	sed -E 's/^([A-Za-z0-9._-]+)==/\1>=/' "$1" >"$scratch/names.in"
	resolve "$scratch/names.in" "$scratch/newest.txt"
	awk -F == '
		function key(name) { name = tolower(name); gsub(/[-_.]+/, "-", name); return name }
		FNR == NR { if (!/^#/) newest[key($1)] = $0; next }
		/^[A-Za-z0-9]/ { split(newest[key($1)], found, "=="); delete newest[key($1)]; print $1 "==" found[2]; next }
		{ print }
		END { for (name in newest) print newest[name] }
	' "$scratch/newest.txt" "$1" >"$scratch/list.in"
	cp "$scratch/list.in" "$1"
}

for name in dev sdk; do
	[ "${1:-}" != --update ] || update "requirements/$name.in"
	resolve "requirements/$name.in" "$scratch/$name.txt" --generate-hashes
	{
		echo "# Made from requirements/$name.in by \`make lock\`: change that file and run it, not this one."
		sed '/^#/d' "$scratch/$name.txt"
	} >"requirements/$name.txt"
done
