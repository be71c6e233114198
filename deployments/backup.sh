#!/usr/bin/env bash
# Everything of an installation that cannot be made again, in one file, and back: deployments/RUNBOOK.md, Back up and restore.
#
#   backup.sh save FILE.tar.gz      the published copy of the database, models, reports and JSON files, your own recipes
#   backup.sh restore FILE.tar.gz   into a data folder that has no database; nothing is overwritten
#
# QUAKECAST_HOME and QUAKECAST_RECIPES say where things lie, as for quakecast itself. A save may run while quakecast writes: the published
# copy is complete and is replaced by renaming, and it is read first, so that the models it names are all there. Secrets (.env) are left out.
set -euo pipefail

DATA=${QUAKECAST_HOME:-quakecast-data}
readonly DATA DATABASE=quakecast.duckdb

say() { printf 'quakecast: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

save() {
    local target=$1 part parts=() files=() status=0
    [ -f "$DATA/published/$DATABASE" ] || die "there is no published database in $DATA; set QUAKECAST_HOME, or run quakecast first"
    mkdir -p "$(dirname "$target")"
    STAGE=$(mktemp -d "$(dirname "$target")/.backup.XXXXXX")
    trap 'rm -rf "$STAGE"' EXIT
    cp -p "$DATA/published/$DATABASE" "$STAGE/$DATABASE"
    for part in models out; do
        if [ -d "$DATA/$part" ]; then parts+=(-C "$(realpath "$DATA")" "$part"); fi
    done
    if [ -n "${QUAKECAST_RECIPES:-}" ]; then
        mkdir "$STAGE/recipes"
        for part in . first_system; do
            files=("$QUAKECAST_RECIPES/$part"/*.toml)
            if [ -e "${files[0]}" ]; then mkdir -p "$STAGE/recipes/$part" && cp "${files[@]}" "$STAGE/recipes/$part/"; fi
        done
        parts+=(-C "$(realpath "$STAGE")" recipes)
    fi
    # Hidden names are half-written files; 1 says that one of them went away meanwhile.
    tar -czf "$STAGE/archive" --exclude='.*' -C "$STAGE" "$DATABASE" "${parts[@]}" || status=$?
    [ "$status" -le 1 ] || die "tar could not write $target; nothing was saved"
    gzip -t "$STAGE/archive"
    chmod 640 "$STAGE/archive" # as the database in it
    mv "$STAGE/archive" "$target"
    (cd "$(dirname "$target")" && sha256sum "$(basename "$target")" >"$(basename "$target").sha256")
    say "saved $(du -h "$target" | cut -f1) as $target"
}

restore() {
    local source=$1 part
    [ -f "$source" ] || die "there is no file $source"
    [ ! -e "$DATA/$DATABASE" ] || die "$DATA has a database already; move it away first (mv $DATA $DATA.old), or set QUAKECAST_HOME"
    if [ -f "$source.sha256" ]; then
        (cd "$(dirname "$source")" && sha256sum --quiet --check "$(basename "$source").sha256") ||
            die "$source is not what was saved; take another backup"
    fi
    mkdir -p "$DATA"
    STAGE=$(mktemp -d "$DATA/.restore.XXXXXX")
    trap 'rm -rf "$STAGE"' EXIT
    tar -xzf "$source" -C "$STAGE" --no-same-owner || die "$source cannot be unpacked; nothing was restored"
    for part in models out recipes; do
        [ ! -d "$STAGE/$part" ] || [ ! -e "$DATA/$part" ] || rmdir "$DATA/$part" 2>/dev/null ||
            die "$DATA/$part is there already; move it away first"
    done
    mkdir -p "$DATA/published"
    for part in models out recipes; do
        if [ -d "$STAGE/$part" ]; then mv "$STAGE/$part" "$DATA/$part"; fi
    done
    cp -p "$STAGE/$DATABASE" "$DATA/published/$DATABASE"
    mv "$STAGE/$DATABASE" "$DATA/$DATABASE" # last: a restore that was cut off can be repeated after removing the rest
    say "restored $source into $DATA; ask: quakecast status"
    if [ -d "$DATA/recipes" ]; then say "your recipes are in $DATA/recipes; set QUAKECAST_RECIPES to where you keep them"; fi
}

case "${1:-}" in
save) save "${2:?the file to write, .tar.gz}" ;;
restore) restore "${2:?the file that was saved}" ;;
*) die "usage: deployments/backup.sh save FILE.tar.gz | restore FILE.tar.gz" ;;
esac
