#!/usr/bin/env bash
# Writes requirements/dev.txt and requirements/sdk.txt anew from the lists beside them (*.in): the same packages and versions, with
# the hashes of all files that the package index offers for each, so that pip installs nothing else. (or: make lock)
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
