"""
clock - how long programs took, to the microsecond.

subprocess.run() with a time limit looks for the end in steps of up to 50 ms,
which is too coarse here; this waits for it, and a timer in a thread of its own
sees to the limit.
"""

import resource
import subprocess
import threading
import time


def run_all(calls, limit=300):
    """
    Starts programs, each with the arguments of Popen, and waits for all:
    seconds, CPU seconds. Each must exit 0.
    """
    for call in calls:
        call["args"] = [str(a) for a in call["args"]]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    running = [subprocess.Popen(**call) for call in calls]
    timer = threading.Timer(limit, lambda: [p.kill() for p in running])
    timer.start()
    statuses = [process.wait() for process in running]
    took = time.monotonic() - begin
    timer.cancel()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for process, status in zip(running, statuses):
        if status != 0:
            raise subprocess.CalledProcessError(status, process.args)
    return took, (after.ru_utime + after.ru_stime
                  - before.ru_utime - before.ru_stime)


def run(argv, limit=300, **how):
    """Runs a program to its end: seconds, CPU seconds. It must exit 0."""
    return run_all([{"args": argv, **how}], limit)
