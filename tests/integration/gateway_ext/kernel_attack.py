"""What hostile code in a kernel tries, which knows exactly where everything is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ATTACK = """
import ctypes, errno, json, os, signal, socket
targets, hidden = json.loads(TARGETS), HIDDEN
table = []
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p

def attempt(name, function):
    try:
        result = function()
    except Exception as error:
        number = getattr(error, "errno", None)
        table.append((name, errno.errorcode.get(number) or type(error).__name__))
    else:
        table.append((name, "DONE" if result is not False else "nothing"))

def call(*arguments):
    ctypes.set_errno(0)
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")

def connect(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        client.connect(path)

for name, pid in targets["processes"].items():
    for file in ("environ", "mem", "maps", "cmdline", "status", "root/etc/passwd", "cwd/x", "fd/0"):
        attempt(f"read {file} of {name}", lambda: open(f"/proc/{pid}/{file}", "rb"))
    attempt(f"list fd of {name}", lambda: os.listdir(f"/proc/{pid}/fd"))
    attempt(f"signal {name}", lambda: os.kill(pid, 0))
    attempt(f"signal the group of {name}", lambda: os.killpg(pid, 0))
    attempt(f"watch {name}", lambda: os.pidfd_open(pid))
    attempt(f"trace {name}", lambda: libc.ptrace(16, pid, 0, 0) == 0)
    attempt(f"slow {name}", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    attempt(f"limit {name}", lambda: __import__("resource").prlimit(pid, 7))
    for kind in ("user", "pid", "mnt", "ipc"):
        attempt(f"enter the {kind} namespace of {name}", lambda: open(f"/proc/{pid}/ns/{kind}"))
for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    if pid not in (1, os.getpid()):
        parent = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1]
        attempt(f"see process {pid}", lambda: int(parent) not in (1, os.getpid()))
for name in ("mem", "environ", "maps", "fd", "root", "cwd"):
    look = os.listdir if name in ("fd", "root", "cwd") else lambda path: open(path, "rb")
    attempt(f"{name} of the first process", lambda: look("/proc/1/" + name))
for number in (signal.SIGSTOP, signal.SIGKILL):
    # Without Landlock, Linux says that all is well and does nothing.
    try:
        os.kill(1, number)
    except PermissionError:
        pass
for path in targets["folders"]:
    attempt("list " + path, lambda: os.listdir(path))
    attempt("create in " + path, lambda: open(os.path.join(path, "mine"), "w"))
    attempt("rename " + path, lambda: os.rename(path, path + ".mine"))
    attempt("link to " + path, lambda: (os.symlink(path, "link"), os.listdir("link")))
    if os.path.lexists("link"):
        os.unlink("link")
for path in targets["files"]:
    attempt("read " + path, lambda: open(path, "rb"))
    attempt("write " + path, lambda: os.open(path, os.O_WRONLY))
    attempt("hard link to " + path, lambda: os.link(path, "hard"))
for name in os.listdir("/dev/pts"):
    attempt("open terminal " + name, lambda: name != "ptmx" and os.open("/dev/pts/" + name, 2))
if os.path.isdir("/dev/mqueue"):
    attempt("see a message queue", lambda: bool(os.listdir("/dev/mqueue")))
for path in targets["sockets"]:
    attempt("connect to " + path, lambda: connect(path))
attempt("connect to an abstract socket", lambda: connect("\\0" + targets["abstract"]))
for place in ("/tmp", "/dev/shm", "/var/tmp"):
    attempt("read in " + place, lambda: open(place + "/held"))
attempt("shared memory", lambda: libc.shmget(targets["segment"], 16, 0) != -1)
for flags in (0x20000, 0x02000000, 0x10000000, 0x20000000, 0x40000000, 0x08000000):
    attempt(f"unshare {flags:x}", lambda: libc.unshare(flags) == 0)
attempt("unmount /tmp", lambda: libc.umount2(b"/tmp", 2) == 0)
attempt("unmount what hides the kernels", lambda: libc.umount2(hidden, 2) == 0)
attempt("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0)
attempt("change the root", lambda: os.chroot("/tmp"))
attempt("become root", lambda: os.setuid(0))
attempt("become another user", lambda: os.setresuid(targets["uid"], targets["uid"], targets["uid"]))
attempt("make a device", lambda: os.mknod("device", 0o20666, os.makedev(1, 1)))
attempt("namespaces allowed", lambda: open("/proc/sys/user/max_user_namespaces", "w").write("9"))
attempt("set a name", lambda: socket.sethostname("mine"))
for path in ("/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port"):
    attempt("read " + path, lambda: open(path, "rb"))
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/sys/power/state"):
    attempt("write " + path, lambda: open(path, "w"))
for folder, _, names in os.walk("/sys/fs/cgroup"):
    for name in {"cgroup.procs", "memory.limit_in_bytes", "memory.max"} & set(names):
        path = os.path.join(folder, name)
        attempt("write " + path, lambda: open(path, "w"))
if os.uname().machine == "x86_64":
    calls = {
        "process_vm_readv": (310, 1, 0, 0, 0, 0, 0), "keyctl": (250, 0, -3, 0), "bpf": (321, 0),
        "open_by_handle_at": (304, -100, 0, 0), "io_uring_setup": (425, 1, 0),
        "kcmp": (312, 1, 1, 0), "userfaultfd": (323, 0), "perf_event_open": (298, 0),
        "setns": (308, 0, 0), "clone3": (435, 0), "pidfd_getfd": (438, 0, 0, 0),
        "add_key": (248, 0), "fsopen": (430, 0), "syslog": (103, 3),
    }
    for name, numbers in calls.items():
        attempt(name, lambda: call(*numbers))
print(json.dumps(table))
"""


def attack_on(targets: Mapping[str, Any], hidden: Path) -> str:
    """The code of a cell that prints a list of pairs: what was tried, and the error that came of
    it, or "DONE". Every attempt is one that must fail. `targets` names processes, folders, files,
    sockets, a segment of shared memory and a user id of others."""
    code = _ATTACK.replace("TARGETS", repr(json.dumps(targets)))
    return code.replace("HIDDEN", repr(bytes(hidden)))
