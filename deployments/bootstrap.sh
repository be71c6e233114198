#!/usr/bin/env bash
# Sets the project up inside its own folder. Called by the Makefile; run it from the root of the checkout.
#
#   bootstrap.sh install REQUIREMENTS   .venv with everything that REQUIREMENTS pins, and the project itself, editable
#   bootstrap.sh python                 prints the interpreter that install would take
#   bootstrap.sh lock [UV OPTION ...]   requirements/*.txt from pyproject.toml; --upgrade takes newer versions
#   bootstrap.sh system-deps            the Debian packages of deployments/apt.txt
#
# PYTHON=/path/to/python chooses the interpreter. uv does the work where it can; pip does it where uv cannot.
set -euo pipefail

ROOT=$(pwd -P)
readonly ROOT VENV=.venv
readonly STAMP=$VENV/installed
readonly UV_VENV=.cache/uv-venv
readonly WANTED='3.11, 3.12 or 3.13'

say() { printf 'quakecast: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# --- Python -----------------------------------------------------------------------------------------------------

# Prints the version (3.11) of a candidate that runs and fits; fails for shims, stubs and other versions.
fitting_version() {
    "$1" -c 'import sys, venv; v = sys.version_info[:2]; print("%d.%d" % v); sys.exit(not (3, 11) <= v <= (3, 13))' \
        2>/dev/null </dev/null
}

has_ensurepip() { "$1" -c 'import ensurepip' 2>/dev/null </dev/null; }

# Sets PYTHON and PYTHON_VERSION: the first candidate that fits, one that can make a venv with pip before one that cannot.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        PYTHON_VERSION=$(fitting_version "$PYTHON") || die "PYTHON=$PYTHON is not a Python $WANTED that runs; choose another with PYTHON=..."
        return
    fi
    local name candidate version
    while read -r candidate; do
        version=$(fitting_version "$candidate") || continue
        if has_ensurepip "$candidate"; then
            PYTHON=$candidate PYTHON_VERSION=$version
            return
        fi
        [ -n "${PYTHON:-}" ] || { PYTHON=$candidate PYTHON_VERSION=$version; }
    done < <(for name in python3.11 python3.12 python3.13 python3 python; do type -ap "$name" || true; done)
    [ -n "${PYTHON:-}" ] || die "no Python $WANTED on the PATH; install one (Debian: apt-get install python3 python3-venv) or name one with PYTHON=..."
}

# pip comes into a venv by ensurepip, which Debian keeps in a package of its own.
make_venv_with_pip() {
    has_ensurepip "$PYTHON" || die "$PYTHON cannot put pip into a venv; install the package python$PYTHON_VERSION-venv (Debian, Ubuntu), then run make again"
    "$PYTHON" -m venv "$1"
}

# --- uv, else pip -----------------------------------------------------------------------------------------------

# Sets UV to a uv that runs: from the PATH, else from a venv of its own. Fails where there is none to be had.
find_uv() {
    if UV=$(type -P uv) && "$UV" --version >/dev/null 2>&1; then return; fi
    UV=$UV_VENV/bin/uv
    if "$UV" --version >/dev/null 2>&1; then return; fi
    say "uv is not on the PATH; putting it into $UV_VENV"
    rm -rf "$UV_VENV"
    make_venv_with_pip "$UV_VENV" || return 1
    "$UV_VENV/bin/python" -m pip install --quiet --require-hashes -r requirements/uv.txt && "$UV" --version >/dev/null
}

# Without TensorFlow: small, and left small.
is_lite() { [ "${1##*/}" = lite.txt ]; }

install_with_uv() {
    local options=(--require-hashes)
    [ -t 2 ] || options+=(--quiet)
    is_lite "$1" || options+=(--compile-bytecode)  # TensorFlow's takes half a minute where it must be made at the first import
    find_uv || return 1
    "$PYTHON" -m venv --without-pip "$VENV" || return 1
    "$UV" pip install "${options[@]}" --python "$VENV/bin/python" -r "$1"
}

# The lock names everything, so pip need not look for dependencies; older pips stumble over extras in hash mode if they do.
install_with_pip() {
    make_venv_with_pip "$VENV"
    "$VENV/bin/python" -m pip install --progress-bar off --no-deps --require-hashes -r "$1"
    "$VENV/bin/python" -m pip check
}

# --- commands ---------------------------------------------------------------------------------------------------

# What the venv was made from: the lock's name, then a sum over these files, this folder, this choice of interpreter.
fingerprint() {
    printf '%s ' "$1"
    { cat "$1" pyproject.toml deployments/bootstrap.sh; printf '%s\n' "$ROOT" "${PYTHON:-}"; } | cksum
}

# A venv of another place, Python or lock is made anew: two builds of TensorFlow do not live in one, and `venv` leaves the links to a Python
# of the same version elsewhere as they are, with the wrong standard library beside them.
drop_unfit_venv() {
    local lock='' version home
    home=$("$PYTHON" -c 'import os, sys; print(os.path.dirname(os.path.abspath(sys._base_executable)))')
    version=$(fitting_version "$VENV/bin/python") || version=none
    if [ -e "$STAMP" ]; then read -r lock _ <"$STAMP"; fi
    if [ "$version" = "$PYTHON_VERSION" ] && grep -qsF "$ROOT/$VENV" "$VENV/pyvenv.cfg" && grep -qsxF "home = $home" "$VENV/pyvenv.cfg" &&
        [ "${lock:-$1}" = "$1" ]; then return; fi
    rm -rf "$VENV"
}

up_to_date() { [ "$(cat "$STAMP" 2>/dev/null)" = "$1" ] && fitting_version "$VENV/bin/python" >/dev/null; }

install() {
    local requirements=$1 wanted size
    wanted=$(fingerprint "$requirements")
    if up_to_date "$wanted"; then return; fi

    mkdir -p .cache
    if type -P flock >/dev/null; then
        exec 9>.cache/install.lock
        flock 9
        if up_to_date "$wanted"; then return; fi
    fi
    find_python
    if is_lite "$requirements"; then size='0.6 GB'; else size='2 GB'; fi
    say "installing $requirements for Python $PYTHON_VERSION ($PYTHON) into $VENV: about $size"
    drop_unfit_venv "$requirements"
    rm -f "$STAMP"
    if install_with_uv "$requirements"; then
        "$UV" pip install --python "$VENV/bin/python" --quiet --no-deps --no-build-isolation -e .
    else
        say "uv could not install; trying pip with the same hashes (some minutes)"
        install_with_pip "$requirements"
        "$VENV/bin/python" -m pip install --quiet --no-deps --no-build-isolation -e .
    fi
    printf '%s\n' "$wanted" >"$STAMP"
}

# Writes requirements/$1.txt; the other arguments choose what goes in. The header names this command, no path or host.
compile() {
    local name=$1
    shift
    "$UV" pip compile --python "$PYTHON" --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
        --custom-compile-command 'make lock' "$@" -o "requirements/$name.txt"
    say "wrote requirements/$name.txt"
}

lock() {
    find_python
    find_uv || die "uv is needed to compile the requirements, and could not be installed"
    mkdir -p requirements
    compile uv --group lock "$@"
    compile dev pyproject.toml --extra cpu --extra tensorboard --extra dask --group dev "$@"
    compile lite pyproject.toml --group build -c requirements/dev.txt "$@"
    compile cpu pyproject.toml --extra cpu --group build -c requirements/dev.txt "$@"
    compile gpu pyproject.toml --extra gpu --group build -c requirements/dev.txt "$@"
    compile dask pyproject.toml --extra cpu --extra dask --group build -c requirements/dev.txt "$@"
}

system_deps() {
    local package missing=() sudo=()
    while read -r package; do
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done < <(grep -v '^#' deployments/apt.txt)
    [ "${#missing[@]}" -gt 0 ] || return 0
    type -P apt-get >/dev/null || die "this system has no apt-get; install these by its own means: ${missing[*]}"
    if [ "$(id -u)" != 0 ]; then
        type -P sudo >/dev/null || die "not root and no sudo; ask for: apt-get install ${missing[*]}"
        sudo=(sudo)
    fi
    "${sudo[@]}" apt-get update -q
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

case "${1:-}" in
install) install "${2:?the requirements file}" ;;
python) find_python && printf '%s\n' "$PYTHON" ;;
lock) lock "${@:2}" ;;
system-deps) system_deps ;;
*) die "usage: deployments/bootstrap.sh install REQUIREMENTS | python | lock [UV OPTION ...] | system-deps" ;;
esac
