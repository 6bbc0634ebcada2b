# Builds .build/forebay, the one self-contained executable. Sourced by ./forebay, which sets $root, $executable and $stamp.
# shellcheck shell=bash
# shellcheck source=scripts/toolchain.sh
source "$root/scripts/toolchain.sh"

# Publishes the executable: NAME of the build tree below .build, folder to publish INTO, further arguments of the build.
publish_executable() {
    local artifacts=$root/.build/$1 into=$2 log=$root/.build/$1.log rid
    shift 2
    ensure_sdk || return
    case $(uname -m) in
        x86_64) rid=linux-x64 ;;
        aarch64) rid=linux-arm64 ;;
        *) lacking "Forebay is built for x86_64 and aarch64 only; this machine is $(uname -m)."; return ;;
    esac

    # Build trees of their own: they never meet the builds of an editor or a test run, nor each other. The analyzers belong to ./test. The compiler
    # server outlives the build, so it must not inherit the lock.
    if ! "$dotnet" publish "$root/src/Forebay.Cli/Forebay.Cli.csproj" --configuration Release --runtime "$rid" --nologo -v quiet \
        --artifacts-path "$artifacts" --output "$into" -nodeReuse:false -p:RunAnalyzers=false "$@" \
        >"$log" 2>&1 9>&-; then
        grep -E 'error|warn' "$log" | sort -u | head -20 >&2
        echo "forebay: the build failed; the whole log is in $log." >&2
        return 1
    fi
}

build_executable() {
    local build=$root/.build made wanted
    { mkdir -p "$build" && [[ -w $build ]]; } 2>/dev/null \
        || { lacking "$build cannot be written; run this as the owner of the checkout."; return; }
    exec 9>"$build/lock" || return 1
    flock 9 || return 1

    # Whoever waited for the lock finds the work done. Taken before the build, so that an edit made meanwhile counts as new.
    wanted=$(source_stamp)
    if [[ -x $executable && $wanted == "$(cat "$stamp" 2>/dev/null)" ]]; then
        exec 9>&-
        return 0
    fi

    if [[ -x $executable ]]; then
        echo "building forebay (sources changed)…" >&2
    else
        echo "building forebay (first run, about a minute)…" >&2
    fi

    made=$build/made
    rm -rf "$made"
    publish_executable artifacts "$made" || return

    # Renamed, not overwritten: a node that runs keeps the files it was started from. A library that builds of before left would be taken instead of ours.
    mv -f "$made"/* "$build/" && rm -rf "$made" "$build/libe_sqlite3.so" && echo "$wanted" >"$stamp" || return 1
    exec 9>&-
}
