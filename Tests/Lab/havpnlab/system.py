# SPDX-License-Identifier: Apache-2.0
"""Processes, network namespaces and waiting: what every other module here stands on."""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import time

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000

#: Everything that runs in the lab keeps its files below this directory.
RUN = "/run/lab"


class Failure(Exception):
    """A promise that was not kept; the message is the sentence that the report prints."""


def expect(condition, sentence):
    """Fails the scenario with `sentence` unless `condition` holds."""
    if not condition:
        raise Failure(sentence)


def run(*command, namespace=None, check=True, timeout=30, text=None, environment=None):
    """Runs a command to its end and returns what it printed on both outputs."""
    words = [str(word) for word in command]
    if namespace:
        words = ["nsenter", f"--net=/run/netns/{namespace}", "--", *words]
    done = subprocess.run(
        words, input=text, text=True, timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=None if text is not None else subprocess.DEVNULL,
        env={**os.environ, **environment} if environment else None)
    if check and done.returncode != 0:
        raise Failure(f"`{' '.join(words)}` ended with {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def batch(namespace, lines):
    """Gives many commands to one `ip`."""
    run("ip", "-n", namespace, "-batch", "-", text="\n".join(lines) + "\n")


def spawn(command, *, log, namespace=None, private_run=None, environment=None, listen=None):
    """Starts a daemon in its own process group; both outputs are appended to the file `log`.

    `listen` is a socket that the daemon gets as systemd would give it.
    """
    words = [str(word) for word in command]
    if private_run:
        script = f"mount --bind {private_run} /run && exec \"$@\""
        words = ["unshare", "--mount", "sh", "-c", script, "sh", *words]
    if namespace:
        words = ["ip", "netns", "exec", namespace, *words]
    if listen:
        script = f"exec 3<&{listen.fileno()} {listen.fileno()}<&-; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\""
        words = ["bash", "-c", script, "bash", *words]
    with open(log, "ab", buffering=0) as output:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            pass_fds=(listen.fileno(),) if listen else (),
            env={**os.environ, **(environment or {})})


@contextlib.contextmanager
def inside(namespace):
    """Lets the present thread open sockets and read /proc/thread-self/net in another network namespace."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{namespace}") as there:
        if _libc.setns(there.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {namespace}")
        try:
            yield
        finally:
            if _libc.setns(home.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "cannot come back from a namespace")


def set_link(namespace, interface, up):
    """Sets a link up or down by netlink and returns the monotonic time, in seconds, just before and after."""
    with inside(namespace):
        route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        index = socket.if_nametoindex(interface)
    with route:
        body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 1 if up else 0, 1)
        header = struct.pack("=IHHII", 16 + len(body), 16, 0x5, 1, 0)
        before = time.monotonic()
        route.send(header + body)
        answer = route.recv(4096)
        after = time.monotonic()
    error = struct.unpack_from("=i", answer, 16)[0]
    if error:
        raise OSError(-error, f"link {interface} of {namespace} cannot be set")
    return before, after


@contextlib.contextmanager
def undisturbed():
    """Lets the present thread come before all daemons: one that was pushed aside keeps the interpreter's lock."""
    os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(15))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def wait_until(question, seconds, sentence, pause=0.05):
    """Asks until the answer is true and returns it; fails with `sentence` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise Failure(f"{sentence} (waited {seconds} s)")
        time.sleep(pause)


def read_text(path):
    """The content of a text file, or an empty string where there is none."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def end(process, seconds=5, signal_number=15):
    """Asks a process to end, insists after `seconds`, and returns its exit status."""
    if process.poll() is None:
        process.send_signal(signal_number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def children(pid):
    """The process ids of all descendants of `pid`, parents first."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = read_process(f"/proc/{name}/stat").rpartition(")")[2].split()
            if len(fields) > 1:
                parents.setdefault(int(fields[1]), []).append(int(name))
    found, queue = [], [pid]
    while queue:
        below = sorted(parents.get(queue.pop(0), []))
        found += below
        queue += below
    return found


def read_process(path):
    """One file of /proc, or an empty string where the process ended meanwhile."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""
