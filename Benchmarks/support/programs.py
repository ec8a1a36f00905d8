"""Starting programs on a core of their own, and reading what they used."""
import os, re, shutil, signal, socket, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TICK = os.sysconf("SC_CLK_TCK")


def need(*tools):
    """Ends the benchmark with the packages to install when a tool is missing."""
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        sys.exit(f"{', '.join(missing)} is missing: Tools/install bench installs what the benchmarks need")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(command, core, **options):
    """Starts a program pinned to a core; its output is thrown away unless the options say otherwise."""
    options.setdefault("stdout", subprocess.DEVNULL)
    return subprocess.Popen(["taskset", "-c", str(core)] + command, **options)


def wait_for(port, name="the upstream"):
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"{name} does not listen on {port}")


def stop(processes):
    """Ends the processes and waits for them; those that take more than 15 seconds are killed."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def family(pid):
    """A process and all that came from it."""
    result = [pid]
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            for child in f.read().split():
                result += family(int(child))
    except OSError:
        pass
    return result


def cpu_seconds(pid):
    """User and system time of a process and its family."""
    total = 0
    for each in family(pid):
        with open(f"/proc/{each}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def rss_kb(pid):
    """Resident kilobytes of a process and of each of its family."""
    total = []
    for each in family(pid):
        with open(f"/proc/{each}/status") as f:
            total.append(int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)))
    return total
