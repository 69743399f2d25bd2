"""One process, or several that share a training (started by torchrun)."""

from types import TracebackType

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


class Alone:
    """The only process."""

    rank, count = 0, 1

    @property
    def first(self) -> bool:
        """Whether this process measures, writes and speaks."""
        return self.rank == 0

    def spread(self, module: nn.Module) -> nn.Module:
        """The module, its gradients averaged over the processes."""
        return module

    def shared(self, *values: float) -> tuple[float, ...]:
        """The first process' values, in every process."""
        return values


class Several(Alone):
    """A process of torchrun's: gradients are averaged, the first one's clock counts.

    rank, count: of this process and in all. device: this process' own. Batch normalisation uses
    the whole batch on GPUs (SyncBatchNorm), each process' part on CPUs, where torch has no other.
    """

    def __init__(self, rank: int, count: int, device: str) -> None:
        self.rank, self.count, self.device = rank, count, torch.device(device)

    def __enter__(self) -> "Several":
        backend = "cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo"
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        dist.init_process_group(backend)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:  # else the others may wait for this one, and torchrun ends them
            dist.destroy_process_group()

    def spread(self, module: nn.Module) -> nn.Module:
        """The module, its gradients averaged over the processes."""
        if self.device.type == "cuda":
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
            return DistributedDataParallel(module, device_ids=[self.device])
        return DistributedDataParallel(module)

    def shared(self, *values: float) -> tuple[float, ...]:
        """The first process' values, in every process."""
        told = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(told, 0)
        return tuple(told.tolist())
