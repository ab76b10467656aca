#!/usr/bin/env bash
# Writes requirements/dev.txt and requirements/sdk.txt anew from the lists beside them (*.in): the same packages and versions, with
# the digests of all files that the package registry offers for each, so that nothing else is installed. (or: make lock)
#
# To add a package or update one, change its line in the .in file and run this. What a new version needs besides is added to the
# .txt with its newest version; `make test` then names the packages that the .in file lacks, so that a person decides about each.
# Versions that do not fit together are refused by name, and the .txt files stay as they are. See docs/contributing.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for name in dev sdk; do
	locked=$(mktemp)
	.venv-sdk/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--output-file "$locked" "requirements/$name.in" >/dev/null
	{
		echo "# Made from requirements/$name.in by \`make lock\`: change that file and run it, not this one."
		sed '/^#/d' "$locked"
	} >"requirements/$name.txt"
	rm -f "$locked"
done
