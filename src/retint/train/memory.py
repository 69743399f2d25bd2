"""What a training asks of the machine's memory."""

import ctypes
import platform


def keep_memory() -> None:
    """Tell glibc to keep freed memory.

    Training frees and takes the same gigabytes at every step; giving them back in between costs
    page faults.
    """
    if platform.libc_ver()[0] == "glibc":
        trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # malloc.h
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap_threshold, 2**31 - 1)
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(top_pad, 2**28)
