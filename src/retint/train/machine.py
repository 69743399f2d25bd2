"""What a training takes of its machine: a device, and memory."""

import ctypes
import platform

import torch

from retint.errors import DeviceError


def device(wanted: str) -> str:
    """The torch device of that name: cpu, cuda or cuda:N; for auto the best there is.

    DeviceError where it is not there.
    """
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    known = ["cpu", *(["cuda"] if cards else []), *(f"cuda:{n}" for n in range(cards))]
    if wanted == "auto":
        return "cuda" if cards else "cpu"
    if wanted not in known:
        raise DeviceError(
            f"{wanted}: this installation of torch finds no such device; see docs/train.md"
        )
    return wanted


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
