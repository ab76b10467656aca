#!/usr/bin/env bash
# Holds the pack to the rules that demisto-sdk keeps for others: files that were just added, and packs that XSOAR itself supports.
#
# Many of its checks look only at files that a branch adds or changes, and need a remote to compare with; others skip packs of
# the community. So this runs all codes of tools/validation_config.toml on a copy: the pack as it lies here, changes that are not
# committed included, in a repository of its own in a temporary folder, whose origin/master is an empty commit and whose pack says
# that it is supported by XSOAR. It needs neither a remote nor the history of this repository, and leaves nothing behind.
#
# usage: tools/validate_as_added.sh [demisto-sdk]        (default: .venv-sdk/bin/demisto-sdk)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
sdk=$(realpath "${1:-$root/.venv-sdk/bin/demisto-sdk}")
config=$root/tools/validation_config.toml
codes=$("$(dirname "$sdk")/python" "$root/tools/check_validation_codes.py" --list)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Neither the caller's git settings nor the variables that git sets in a hook may have a say here, nor where we are called from.
unset "${!GIT_@}" DEMISTO_SDK_CONTENT_PATH
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=check GIT_AUTHOR_EMAIL=check@localhost GIT_COMMITTER_NAME=check GIT_COMMITTER_EMAIL=check@localhost
export DEMISTO_SDK_IGNORE_CONTENT_WARNING=1 DEMISTO_SDK_LOG_FILE_PATH=$work TMPDIR=$work

git init --quiet --bare --initial-branch=master "$work/origin.git"
git init --quiet --initial-branch=master "$work/content"
cp -R "$root/Packs" "$root/.private-repo-settings" "$root/.gitignore" "$work/content/"

cd "$work/content"
sed -i.bak 's/"support": "community"/"support": "xsoar"/' Packs/*/pack_metadata.json
rm -f Packs/*/pack_metadata.json.bak
git remote add origin "$work/origin.git"
git commit --quiet --allow-empty --message "Nothing yet"
git push --quiet origin master
git fetch --quiet origin
git checkout --quiet -b work
git add --all
git commit --quiet --message "Everything"

"$sdk" validate -g --config-path "$config" -sv "$codes"
