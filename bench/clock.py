"""
clock - how long a program took, to the microsecond.

subprocess.run() with a time limit looks for the end in steps of up to 50 ms,
which is too coarse here; this waits for it, and a timer in a thread of its own
sees to the limit.
"""

import resource
import subprocess
import threading
import time


def run(argv, limit=300, **how):
    """Runs a program to its end: seconds, CPU seconds. It must exit 0."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    process = subprocess.Popen([str(a) for a in argv], **how)
    timer = threading.Timer(limit, process.kill)
    timer.start()
    status = process.wait()
    took = time.monotonic() - begin
    timer.cancel()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if status != 0:
        raise subprocess.CalledProcessError(status, process.args)
    return took, (after.ru_utime + after.ru_stime
                  - before.ru_utime - before.ru_stime)
