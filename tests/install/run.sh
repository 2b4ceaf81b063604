#!/usr/bin/env bash
# usage: tests/install/run.sh BUILD_DIRECTORY
#
# Installs the build into a temporary prefix, moves that prefix (an installed tree may be moved), and outside the
# source tree builds and runs main.c against it: through CMake and through pkg-config, shared and static.
set -euo pipefail

build=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/staged" >"$work/install.log"
mv "$work/staged" "$work/prefix"
mkdir "$work/source"
cp "$here/main.c" "$here/CMakeLists.txt" "$work/source"
cd "$work"

archive=$(find "$work/prefix" -name libtapir.a)
library_dir=$(dirname "$archive")
library=$library_dir/libtapir.so
cc=${CC:-cc}

# try NAME COMMAND...: one line of result; the command's output where it fails.
failed=0
try() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        printf 'ok    %s\n' "$name"
    else
        printf 'FAIL  %s\n' "$name"
        sed 's/^/      /' "$work/log"
        failed=$((failed + 1))
    fi
}

only_public_symbols() {
    local others
    others=$(nm -D --defined-only "$library" | awk '$3 !~ /^tp_[^_]/ && $3 !~ /^\./ { print $3 }') # .gomp_... is clang's
    [ -z "$others" ] || { echo "exports: $others"; return 1; }
}

cmake_project() {
    cmake -S "$work/source" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release &&
        cmake --build "$work/cmake"
}

pkg_config_shared() {
    $cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$work/source/main.c" -o "$work/shared" \
        $(pkg-config --cflags --libs tapir) -lm && LD_LIBRARY_PATH=$library_dir "$work/shared"
}

# -ltapir would take the shared library, which stands beside the static one.
pkg_config_static() {
    $cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$work/source/main.c" -o "$work/static" \
        $(pkg-config --cflags --static --libs tapir | sed 's/-ltapir/-l:libtapir.a/') && "$work/static"
}

not_linked_with_shared() {
    ! readelf -d "$work/static" "$work/cmake/with_static" | grep 'libtapir'
}

export PKG_CONFIG_PATH=$library_dir/pkgconfig
try "exports only tp_ symbols" only_public_symbols
try "find_package: configure and build" cmake_project
try "find_package, shared" "$work/cmake/with_shared"
try "find_package, static" "$work/cmake/with_static"
try "pkg-config, shared" pkg_config_shared
try "pkg-config, static" pkg_config_static
try "static programs do not need libtapir.so" not_linked_with_shared
exit $((failed > 0))
