"""``udocker setup``: how a container is to run."""

from udocker.cli import arguments_of
from udocker.cli.containers import require_idle
from udocker.engine.choose import DEFAULT_MODE, MODES, PATCHED_MODES
from udocker.errors import InvalidValue
from udocker.model.reference import quoted


def setup(context, values, arguments):
    """Change the execution mode of a container, mend it, or tell how it is set up."""
    (text,) = arguments_of("setup", arguments, 1, 1)
    container = context.containers.find(text)
    mode = values["execmode"]
    if mode and mode not in MODES:
        raise InvalidValue("invalid execution mode %s" % quoted(mode),
                           "one of %s" % ", ".join(MODES))
    if not (mode or values["purge"] or values["fixperm"] or values["nvidia"]):
        context.output.result("execmode: %s" % (container.mode or DEFAULT_MODE))
        context.output.result("nvidiamode: %s" % container.has_nvidia)
        return
    from udocker.store.containers import require_unprotected
    require_unprotected(container)
    require_idle(container)
    with context.locked():
        if values["fixperm"]:
            from udocker.host import permissions
            permissions.mend(container.root)
        if values["purge"]:
            from udocker.store import mountpoints
            mountpoints.put_back(container)
            mountpoints.remove(container)
        if mode:
            switch(context, container, mode, values["force"])
        if values["nvidia"]:
            _enable_nvidia(context, container)


def switch(context, container, mode, force):
    """Bring ``container`` into ``mode`` (str) and write that down.

    Interrupted, the container is in a mode that has its programs changed, and says so when it is
    run: from there every way is open.
    """
    store, locator = context.containers, context.locator()
    if container.is_patched and (force or mode not in PATCHED_MODES):
        from udocker.engine import patching
        lost = patching.restore(container, locator.patchelf().path)
        if lost:
            context.output.warning("%d programs were changed by others meanwhile: they work, but "
                                   "are not what they were, byte by byte" % lost)
    if container.is_set_up_by_1_3:
        from udocker.engine import former
        former.restore(container, locator.patchelf().path)
    elif not container.is_patched:
        from udocker.engine import former
        former.forget(container)
    if mode.startswith("F"):
        from udocker.engine.fakechroot import fakechroot_for
        guest = fakechroot_for(container, mode, locator).guest
        if mode in PATCHED_MODES and not container.is_patched:
            from udocker.engine import patching
            store.set_mode(container, mode)
            patching.patch(container, guest, locator.patchelf().path)
    store.set_mode(container, mode)


def _enable_nvidia(context, container):
    """Remember that the driver is wanted; it need not be on this machine, but on login nodes say."""
    from udocker.cli.run import driver_binds
    from udocker.errors import NotFound
    try:
        driver_binds(context, container)
    except NotFound as error:
        context.output.warning("%s: it will be looked for again at each run" % error.message)
    context.containers.set_nvidia(container)
