#!/bin/sh
# udocker @VERSION@, containers for ordinary users. One file: this script, and behind it a zip
# archive with the program. https://www.apache.org/licenses/LICENSE-2.0
#
# The script finds a Python and starts it isolated (-I -S): neither PYTHONPATH nor site-packages
# of the machine can get between udocker and its own modules, and it starts faster.
for python in "$UDOCKER_PYTHON" python3 /usr/libexec/platform-python \
    python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 python3.7 python3.6
do
    case ":$UDOCKER_PYTHON_TOO_OLD:" in *":$python:"*) continue ;; esac
    if command -v "$python" >/dev/null 2>&1; then
        exec "$python" -I -S -c '@BOOT@' "$0" "$python" "$@"
    fi
done
echo "udocker: needs Python 3.6 or newer, and found none (UDOCKER_PYTHON can name one)" >&2
exit 125
