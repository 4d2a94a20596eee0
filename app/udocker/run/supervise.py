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


def replace_process(plan):
    """Become the engine of ``plan`` (ExecutionPlan). Does not return."""
    argv = _prepare(plan)
    _execute(plan, argv)


def run(plan, adopts=False):
    """Run ``plan`` (ExecutionPlan) in a child; return its exit status (int) as a shell tells it.

    adopts (bool): what the child leaves behind when it is killed ends too.
    The kernel spares the first process of a pid namespace from signals that it has no handler for,
    so that "sleep 100" would outlive a batch system's SIGTERM where the runtime does not see to it
    (ours does, runC does not): such a process gets SIGKILL, and the status tells the signal.
    """
    import signal
    argv = _prepare(plan)
    if adopts:
        import ctypes
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    forwarded = [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
    from_terminal = [signal.SIGINT, signal.SIGQUIT]
    # blocked until the child's pid is known, so that none is lost
    signal.pthread_sigmask(signal.SIG_BLOCK, forwarded)
    pid = os.fork()
    if pid == 0:
        status = HostError.exit_code
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, forwarded)
            _execute(plan, argv)
        except (EngineError, HostError) as error:
            sys.stderr.write("Error: %s\n" % error.message)
        finally:
            os._exit(status)
    ended_by = []
    if plan.directory:
        os.chdir(plan.directory)  # who asks which processes belong to the container finds us there

    def forward(number, _frame):
        first = processes.first_inside(pid)
        try:
            if first is not None and processes.would_die(first, number):
                ended_by.append(number)
                os.kill(first, signal.SIGKILL)
            elif number not in from_terminal:
                os.kill(pid, number)
        except ProcessLookupError:
            pass  # it has just ended

    # a terminal sends its signals to the child too, which decides what they mean
    for number in forwarded + from_terminal:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, forwarded)
    status = os.waitpid(pid, 0)[1]
    first = processes.first_inside(os.getpid()) if adopts else None
    if first is not None:  # its runtime was killed; all that is in there ends with it
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
    status = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return 128 + ended_by[0] if ended_by and status == 128 + signal.SIGKILL else status


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


def _execute(plan, argv):
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
