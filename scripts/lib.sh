# Sourced by the other scripts. Installs Debian packages that are missing.
# shellcheck shell=sh

# need_packages WHAT_FOR PACKAGE...: silent when all are there.
need_packages() {
    what_for=$1
    shift
    missing=
    if ! command -v dpkg-query >/dev/null 2>&1; then
        # Not Debian: the build or the tests will name what they miss.
        echo "$what_for needs what Debian calls: $*. Install their counterparts if something is missing." >&2
        return 0
    fi
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
            installed) ;;
            *) missing="$missing $package" ;;
        esac
    done
    [ -z "$missing" ] && return 0
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "$what_for needs these packages, and there is no sudo to install them: apt-get install$missing" >&2
            exit 1
        fi
        as_root=sudo
    fi
    echo "$what_for: installing$missing" >&2
    (
        # Debian starts the servers that it installs. The tests start their own ones, and a mail server that
        # nobody asked for has no business on this machine.
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            trap '$as_root rm -f "$policy"' EXIT
            printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
            $as_root chmod 755 "$policy"
        fi
        # The environment keeps debconf and service start-up quiet; sudo drops variables, hence env.
        quietly="env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1"
        $as_root $quietly apt-get update -qq >&2
        # shellcheck disable=SC2086
        $as_root $quietly apt-get install -y -qq --no-install-recommends $missing >&2
    )
}

# The compiler for SQLite and libpq, which are built from source, and OpenSSL's headers for native-tls.
BUILD_PACKAGES="gcc libc6-dev pkg-config libssl-dev ca-certificates"
# The servers that the tests start privately.
TEST_PACKAGES="postgresql rabbitmq-server knot openssl curl dovecot-core dovecot-imapd dovecot-submissiond \
    dovecot-lmtpd dovecot-pgsql postfix postfix-pgsql python3-venv"
# What scripts/demo starts and uses.
DEMO_PACKAGES="dovecot-core dovecot-imapd dovecot-submissiond knot curl python3"

if ! command -v cargo >/dev/null 2>&1 && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
fi
if ! command -v cargo >/dev/null 2>&1; then
    echo "Rust is missing: install a toolchain from https://rustup.rs and try again." >&2
    exit 1
fi
