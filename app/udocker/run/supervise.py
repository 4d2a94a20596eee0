"""From a plan to a process.

Where nothing has to be done afterwards this process becomes the engine (execve), so that signals,
terminal and exit status are the engine's own and no Python stays behind. Otherwise it waits.
"""

import errno
import os
import sys

from udocker.errors import EngineError, HostError
from udocker.host import files, processes, tree
from udocker.model.reference import quoted

#: prctl(2)
_PR_SET_CHILD_SUBREAPER = 36


def replace_process(plan, recorder):
    """Become the engine of ``plan`` (ExecutionPlan). Does not return.

    recorder (store.runs.Recorder): writes down that it runs, if it can.
    """
    if plan.scratch or plan.needs_keeper:  # somebody has to stay
        status = run(plan, recorder)
        sys.stdout.flush()
        os._exit(status)
    argv = _prepare(plan)
    _record(recorder)
    _execute(plan, argv)


def run(plan, recorder):
    """Run ``plan`` (ExecutionPlan) in a child; return its exit status (int) as a shell tells it."""
    try:
        make_scratch(plan)
        return _run(plan, recorder)
    finally:
        remove_scratch(plan)


def make_scratch(plan):
    """Make the directories that only this run of ``plan`` (ExecutionPlan) has."""
    for path in plan.scratch:
        with tree.naming(path):
            os.mkdir(path, 0o700)


def remove_scratch(plan):
    """Remove what ``make_scratch`` made, and all that the run has left there."""
    for path in plan.scratch:
        files.remove_tree(path)


def _run(plan, recorder):
    import signal
    argv = _prepare(plan)
    adopt_orphans(plan)
    forwarded = [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
    from_terminal = [signal.SIGINT, signal.SIGQUIT]
    # blocked until the child's pid is known, so that none is lost
    signal.pthread_sigmask(signal.SIG_BLOCK, forwarded)
    pid = os.fork()
    if pid == 0:
        status = HostError.exit_code
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, forwarded)
            _record(recorder)
            _execute(plan, argv)
        except (EngineError, HostError) as error:
            sys.stderr.write("Error: %s%s\n" % (
                error.message, " (%s)" % error.hint if error.hint else ""))
            sys.stderr.flush()
        finally:
            os._exit(status)
    if plan.directory:
        os.chdir(plan.directory)  # who asks which processes belong to the container finds us there

    bury = forward(plan, pid, forwarded, from_terminal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, forwarded)
    return bury(recorder)


def forward(plan, pid, forwarded, from_terminal=()):
    """Let signals that this process gets go to its child ``pid`` (int), which runs ``plan``; return
    the function that waits for its end, given a Recorder, and returns its exit status (int).

    forwarded (sequence of int); from_terminal (sequence of int): the child gets these by itself.
    The kernel spares the first process of a pid namespace from signals that it has no handler for,
    so that "sleep 100" would outlive a batch system's SIGTERM where the runtime does not see to it
    (ours does, runC does not): such a process gets SIGKILL, and the status tells the signal.
    """
    import signal
    ended_by = []

    def send(number, _frame):
        first = processes.first_inside(pid)
        try:
            if first is not None and processes.would_die(first, number):
                ended_by.append(number)
                os.kill(first, signal.SIGKILL)
            elif number not in from_terminal or plan.needs_keeper and first is None:
                os.kill(pid, number)  # a runtime that has not begun is told in any case
        except ProcessLookupError:
            pass  # it has just ended

    for number in tuple(forwarded) + tuple(from_terminal):
        signal.signal(number, send)

    def bury(recorder):
        info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        status = info.si_status if info.si_code == os.CLD_EXITED else 128 + info.si_status
        first = processes.first_inside(os.getpid()) if plan.needs_keeper else None
        if first is not None:  # its runtime was killed; all that is in there ends with it
            os.kill(first, signal.SIGKILL)
            os.waitpid(first, 0)
        if ended_by and status == 128 + signal.SIGKILL:
            status = 128 + ended_by[0]
        recorder.end(pid, status)
        os.waitpid(pid, 0)
        return status
    return bury


def adopt_orphans(plan):
    """See to it that what the engine of ``plan`` leaves behind when it is killed becomes ours."""
    if plan.needs_keeper:
        import ctypes
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def become(plan, recorder, started):
    """As ``replace_process``, for a run that has to be written down: OSError if it cannot be.

    started (function): called when it is.
    """
    argv = _prepare(plan)
    recorder.begin()
    started()
    _execute(plan, argv)


def _record(recorder):
    try:
        recorder.begin()
    except OSError:
        pass  # a directory that others own, or a full disk: it can be run all the same


def _prepare(plan):
    """Write the files of the plan; return argv with their places filled in."""
    argv = list(plan.argv)
    for file in plan.files:
        if file.path:
            _keep(file)
        else:
            place = "/proc/self/fd/%d" % _nameless(file, plan)
            argv = [place if word == "{%s}" % file.name else word for word in argv]
    if plan.cpus:
        try:
            os.sched_setaffinity(0, plan.cpus)
        except (OSError, AttributeError) as error:
            raise HostError("cannot run on the processors %s: %s"
                            % (",".join(str(cpu) for cpu in plan.cpus), error))
    return argv


def _keep(file):
    try:
        with open(file.path, "rb") as existing:
            if existing.read() == file.content:
                return
    except OSError:
        pass
    files.make_directories(os.path.dirname(file.path))
    files.write_atomic(file.path, file.content)


def _nameless(file, plan):
    """Return a descriptor of an inheritable file without a name that holds the content."""
    directory = dict(plan.env)["TMPDIR"]
    with tree.naming(directory):
        try:
            fd = os.open(directory, os.O_RDWR | os.O_TMPFILE, 0o600)
        except OSError:  # a kernel or a file system without such files
            path = os.path.join(directory, ".udocker-%d-%s" % (os.getpid(), os.urandom(8).hex()))
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            os.unlink(path)
        if os.write(fd, file.content) < len(file.content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.set_inheritable(fd, True)
    return fd


def _limit(limits):
    import resource
    for limit in limits:
        try:
            resource.setrlimit(getattr(resource, "RLIMIT_" + limit.name.upper()),
                               (limit.soft, limit.hard))
        except (AttributeError, ValueError, OSError) as error:
            raise HostError("cannot set the limit %s=%d:%d: %s" % (tuple(limit) + (error,)),
                            "who is not root can only lower limits; 'ulimit -a -H' shows them")


def _execute(plan, argv):
    if plan.limits:
        _limit(plan.limits)
    sys.stdout.flush()
    sys.stderr.flush()
    # what Python ignores stays ignored across execve, and then "yes | head" would not end; the
    # bare module, because signal imports enum
    import _signal
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    try:
        if plan.directory:
            os.chdir(plan.directory)
        os.execve(argv[0], argv, dict(plan.env))
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise HostError("the command line and environment are too long for this system")
        raise EngineError("cannot start the engine %s: %s"
                          % (quoted(argv[0]), os.strerror(error.errno)),
                          "'udocker install --force' installs it again")
