"""The small package that the notebooks of "Landing Large Models" import.

It loads data (`landing.data`), the book's own models (`landing.models`) and records (`landing.records`), sets the look
of figures (`plt.style.use("landing.book")`) and reports time and memory (`landing.run_report()`). It teaches nothing,
and importing it starts no TensorFlow.
"""

import os
import sys
import time

__version__ = "0.1.0"

_imported_at = time.perf_counter()


def _peak_memory_bytes():
    """The largest resident memory of this process so far, in bytes."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes
    # Linux hands ru_maxrss down from the program that started this one, so a small kernel under a large server would
    # report the server's peak. VmHWM belongs to this process alone.
    try:
        with open("/proc/self/status") as status:
            kibibytes = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes * 1024


def run_report():
    """Print the seconds since `landing` was imported, this process's peak memory and the number of CPU cores."""
    seconds = time.perf_counter() - _imported_at
    megabytes = _peak_memory_bytes() / 1e6
    print(f"{seconds:.0f} s since the set-up cell, peak memory {megabytes:,.0f} MB, {os.cpu_count()} CPU cores")
