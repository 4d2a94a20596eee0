"""A credential helper, small and real: keeps logins in a file of its own, in the clear.

    environ = install_helper(folder, "vault")       # docker-credential-vault, on PATH

Beside it lies ``log``: for each call its action, and the command line that the kernel shows.
"""

import os
import sys

_TEXT = '''#!%s
import json, os, sys
folder = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(folder, "log"), "a") as log:
    with open("/proc/self/cmdline") as own, open("/proc/%%d/cmdline" %% os.getppid()) as parent:
        log.write(repr((sys.argv[1], own.read(), parent.read())) + "\\n")
question, path = sys.stdin.read(), os.path.join(folder, "vault.json")
known = json.load(open(path)) if os.path.exists(path) else {}
%s
if sys.argv[1] == "store":
    entry = json.loads(question)
    known[entry.pop("ServerURL")] = entry
elif question.strip() not in known:
    print("credentials not found in native keychain")
    sys.exit(1)
elif sys.argv[1] == "get":
    print(json.dumps(dict(known[question.strip()], ServerURL=question.strip())))
elif sys.argv[1] == "erase":
    del known[question.strip()]
with open(path, "w") as file:
    json.dump(known, file)
'''


def install_helper(folder, name, before=""):
    """Put ``docker-credential-<name>`` into ``folder`` (str); return a PATH with it.

    before (str): Python that runs first, to do wrong.
    """
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "docker-credential-" + name)
    with open(path, "w") as file:
        file.write(_TEXT % (sys.executable, before))
    os.chmod(path, 0o755)
    return folder + ":/usr/bin:/bin"
