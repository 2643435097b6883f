#!/usr/bin/env bash
# Puts `fleetfoot` on the PATH of the steps that follow: the one that is there, or the release binary for this
# machine, its checksum verified.
#
#   FLEETFOOT_VERSION    version to install; empty: the one on the PATH, else the version of this action
#   FLEETFOOT_RELEASES   where releases are; empty: the releases of this action's repository
set -euo pipefail

fail() {
  echo "::error title=fleetfoot::$1"
  exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
of_this_action=$(sed -n '/^\[workspace\.package\]/,/^\[/ s/^version = "\(.*\)"/\1/p' "$here/../Cargo.toml")
asked=${FLEETFOOT_VERSION#v}

if found=$(command -v fleetfoot) && version=$(fleetfoot --version); then
  version=${version#fleetfoot }
  if [[ -z $asked || $asked == "$version" ]]; then
    echo "Using fleetfoot $version, found at $found"
    exit 0
  fi
fi

version=${asked:-$of_this_action}
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+([.+-][0-9A-Za-z.+-]+)?$ ]] ||
  fail "\"$version\" is no version: write one like $of_this_action in the input \`version\`"

case $RUNNER_OS-$RUNNER_ARCH in
  Linux-X64) target=x86_64-unknown-linux-gnu ;;
  Linux-ARM64) target=aarch64-unknown-linux-gnu ;;
  macOS-X64) target=x86_64-apple-darwin ;;
  macOS-ARM64) target=aarch64-apple-darwin ;;
  *) fail "there is no fleetfoot for $RUNNER_OS on $RUNNER_ARCH: run this step on Linux or macOS, X64 or ARM64" ;;
esac

# GitHub does not promise to tell an action's repository; where it put the action says the same.
if [[ -z ${ACTION_REPOSITORY:-} && $here =~ /_actions/([^/]+/[^/]+)/ ]]; then
  ACTION_REPOSITORY=${BASH_REMATCH[1]}
fi
# Used as `./`, it is the repository of the workflow.
releases=${FLEETFOOT_RELEASES:-https://github.com/${ACTION_REPOSITORY:-$GITHUB_REPOSITORY}/releases}
archive=fleetfoot-$target.tar.gz
folder=$RUNNER_TEMP/fleetfoot-$version
mkdir -p "$folder"
cd "$folder"

for file in "$archive" SHA256SUMS; do
  curl --fail --silent --show-error --location --retry 3 --max-time 120 \
    --output "$file" "$releases/download/v$version/$file" ||
    fail "cannot download $file of fleetfoot $version from $releases: see whether that version has been released"
done

sum() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1; }
wanted=$(awk -v file="$archive" '$2 == file || $2 == "*" file { print $1 }' SHA256SUMS)
[[ -n $wanted && $wanted == "$(sum "$archive")" ]] || {
  rm -f "$archive"
  fail "the checksum of $archive is not the one in SHA256SUMS of fleetfoot $version: nothing was installed"
}

tar -xzf "$archive" fleetfoot
rm "$archive"
echo "$folder" >>"$GITHUB_PATH"
echo "Installed fleetfoot $version for $target, checksum verified"
