import sys
archive, python = sys.argv[1:3]
if sys.version_info < (3, 6):
    import os
    os.environ["UDOCKER_PYTHON_TOO_OLD"] = os.environ.get("UDOCKER_PYTHON_TOO_OLD", "") + ":" + python
    os.execv("/bin/sh", ["sh", archive] + sys.argv[3:])
sys.argv[:3] = [archive]
sys.path.insert(0, archive)
# udocker compiled for this Python, if it is among those that the file was built with
place = {"@TABLE@": ()}.get(sys.modules["_frozen_importlib_external"].MAGIC_NUMBER.hex())
if place:
    import marshal
    with open(archive, "rb") as file:
        file.seek(place[0])
        code = marshal.loads(file.read(place[1]))
    exec(marshal.loads(code["compiled"][1]), {"archive": archive, "code": code, "vendor": place[2:]})
from udocker.cli import main
sys.exit(main())
