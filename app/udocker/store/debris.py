"""What killed processes leave behind, and its removal."""

import os
import time

from udocker.errors import HostError
from udocker.host import files

#: Names of unfinished things in a store start like this; no id, name or digest does.
PARTIAL, MAKING, REMOVING = ".partial-", ".making-", ".removing-"
#: Seconds without a change after which an unfinished thing is nobody's: the process may be on
#: another machine that shares the directory, where its pid says nothing here.
ABANDONED = 24 * 3600


def sweep(directory):
    """Remove from ``directory`` (str) what was begun there and abandoned; no error if it cannot."""
    oldest = time.time() - ABANDONED
    try:
        with os.scandir(directory) as entries:
            doomed = [entry.path for entry in entries
                      if entry.name.startswith((PARTIAL, MAKING, REMOVING))
                      and entry.stat(follow_symlinks=False).st_mtime < oldest]
    except OSError:
        return
    for path in doomed:
        try:
            files.remove_tree(path)
        except HostError:
            pass  # the next sweep tries again; what we were asked for does not depend on it
