# What "python3 udocker.pyz" runs; it must parse in any Python. Started like this, the modules of
# PYTHONPATH come before the standard library's, so it starts again, as the file itself would.
import os
import sys

if sys.version_info < (3, 6):
    sys.stderr.write("udocker: needs Python 3.6 or newer, this is %d.%d\n" % sys.version_info[:2])
    sys.exit(125)
archive = os.path.abspath(sys.argv[0])
if sys.executable:
    os.environ["UDOCKER_PYTHON"] = sys.executable
os.execv("/bin/sh", ["sh", archive] + sys.argv[1:])
