# Finds or installs what building and testing need. Sourced by ./test and scripts/build.sh; defines functions only.
# shellcheck shell=bash

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
sdk_major=10

# Prints why the machine cannot do it, in one sentence; the caller exits with 3.
lacking() {
    echo "forebay: $1" >&2
    return 3
}

have_sdk() { "$1" --list-sdks 2>/dev/null | grep -q "^$sdk_major\."; }

find_sdk() {
    local candidate
    for candidate in dotnet "${DOTNET_ROOT:-/nowhere}/dotnet" /usr/lib/dotnet/dotnet /usr/share/dotnet/dotnet \
        /usr/local/share/dotnet/dotnet "$HOME/.dotnet/dotnet"; do
        candidate=$(command -v "$candidate") || continue
        if have_sdk "$candidate"; then
            dotnet=$candidate
            return 0
        fi
    done
    return 1
}

apt_quiet() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >&2; }

apt_offers() { [[ $(apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ { print $2 }') =~ ^[0-9] ]]; }

can_install() { command -v apt-get >/dev/null && [[ $(id -u) == 0 ]]; }

# The vendor's own repository, for releases of Debian and Ubuntu that do not carry the SDK themselves.
add_vendor_repository() (
    # shellcheck disable=SC1091
    source /etc/os-release
    case $ID in debian | ubuntu) ;; *) exit 1 ;; esac
    package=$(mktemp --suffix=.deb) || exit 1
    trap 'rm -f "$package"' EXIT
    command -v curl >/dev/null || apt_quiet install -y --no-install-recommends curl ca-certificates || exit 1
    curl -fsSL --connect-timeout 20 --max-time 120 --retry 2 -o "$package" \
        "https://packages.microsoft.com/config/$ID/$VERSION_ID/packages-microsoft-prod.deb" || exit 1
    dpkg -i "$package" >&2 && apt_quiet update
)

# Sets $dotnet to a .NET SDK of the wanted version, installing it on Debian and Ubuntu; else says why and returns 3.
ensure_sdk() {
    find_sdk && return 0
    local need=".NET SDK $sdk_major is needed to build Forebay"
    command -v apt-get >/dev/null || { lacking "$need; install it from https://dot.net and run this again."; return; }
    can_install || { lacking "$need; run this once as root, or install the package dotnet-sdk-$sdk_major.0."; return; }
    echo "installing .NET SDK $sdk_major…" >&2
    apt_quiet update || true
    apt_offers "dotnet-sdk-$sdk_major.0" || add_vendor_repository \
        || { lacking "$need, and neither this distribution nor packages.microsoft.com offers it here."; return; }
    apt_quiet install -y --no-install-recommends "dotnet-sdk-$sdk_major.0" && find_sdk \
        || { lacking "$need, and installing the package dotnet-sdk-$sdk_major.0 failed (see above)."; return; }
}
