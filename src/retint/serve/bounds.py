"""What a process that decodes strangers' files may take: the operating system holds it to that."""

import math
import sys
import time
from dataclasses import dataclass

LOADERS = ("Jpeg", "Png", "Tiff", "Webp", "Heif", "Nsgif")
"""The only ones of libvips' readers that `formats/codecs.py` asks for."""


@dataclass(frozen=True)
class Bounds:
    """Bytes of memory of one process, and processor seconds for one thing that it is asked.

    A process that wants more memory is refused it, and fails or ends; one that takes more time is
    ended by the kernel, also when its server is no longer there. On systems other than Linux only
    the readers are bounded.
    """

    memory: int
    seconds: float

    def confine(self) -> None:
        """Hold this process to them, for good."""
        import pyvips

        pyvips.operation_block_set("VipsForeignLoad", True)
        for loader in LOADERS:
            pyvips.operation_block_set(f"VipsForeignLoad{loader}Source", False)
        if sys.platform == "linux":
            import resource

            # RLIMIT_DATA counts what is written to; RLIMIT_AS would count what is only reserved,
            # and threads and CUDA reserve far more than they take
            resource.setrlimit(resource.RLIMIT_DATA, (self.memory, self.memory))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a photograph is no dump to lie about

    def renew(self, room: int) -> None:
        """Begin something new: its time starts, and no file may grow beyond `room` bytes."""
        if sys.platform == "linux":
            import resource

            end = math.ceil(time.process_time() + self.seconds)
            resource.setrlimit(resource.RLIMIT_CPU, (end, resource.RLIM_INFINITY))
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
