# What ./quickstart and ./test share. Sourced, with $top set to the checkout.
# POSIX sh, because on the machines where these run first there may not even be a python3.

export DEBIAN_FRONTEND=noninteractive PYTHONDONTWRITEBYTECODE=1

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# stage TITLE: say what begins; report_stages tells afterwards how long each one took.
stages= stage_title= stage_start=
stage() {
    end_stage
    stage_title=$1 stage_start=$(date +%s)
    printf '\n==> %s\n' "$1"
}

end_stage() {
    [ -z "$stage_title" ] || stages="$stages$(printf '%5d s  %s' \
        $(($(date +%s) - stage_start)) "$stage_title")
"
    stage_title=
}

report_stages() {
    end_stage
    printf '%s' "$stages"
}

# need PACKAGE COMMAND...: unless COMMAND succeeds, remember that PACKAGE (of Debian) is missing.
missing=
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

program() {
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1"
}

python_works() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 6))' && python3 -c 'import ensurepip, venv'
}

can_install() {
    [ "$(id -u)" = 0 ] && program apt-get >/dev/null
}

# install PACKAGE...: with the lists that are there first, which need no network if they will do.
install() {
    log=$(mktemp)
    for attempt in 1 2; do
        if apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" \
            </dev/null >"$log" 2>&1; then
            rm -f "$log"
            return 0
        fi
        [ $attempt = 2 ] || apt-get update -q </dev/null >>"$log" 2>&1 || true
    done
    grep '^E:' "$log" >&2 || tail -n 3 "$log" >&2
    rm -f "$log"
    return 1
}

# install_missing: what need() remembered; where that cannot be, one line says what to do.
install_missing() {
    [ -n "$missing" ] || return 0
    can_install || die "not here:$missing (on Debian or Ubuntu, as root: apt-get install --no-install-recommends$missing)"
    echo "installing$missing"
    # shellcheck disable=SC2086  # words on purpose
    install $missing || die "apt-get could not install:$missing"
    missing=
}
