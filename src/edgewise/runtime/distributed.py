"""The processes of one run, a device each: which part of a batch each has, and what they tell each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from edgewise.errors import ConfigError, EdgewiseError, RunError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


class Followed(RunError):
    """The first process met an error, and has said which; the others end as well."""


class Processes:
    """The processes that carry a run out together; one process is its own first one.

    All draw the same random numbers and hold the same weights, alpha and beta. Of every batch, each has its own
    consecutive rows.

    Weights' gradients are averaged by one sum over a flat copy of them all, after the backward pass, and not by
    `DistributedDataParallel`: that wraps a module's forward pass, and a supernet's takes mixtures and hooks, runs
    with other weights in a second-order gradient, and leaves operations out that GDAS did not sample.

    Args:
        rank: which process this is, from 0.
        world: how many there are.
    """

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank = rank
        self._world = world
        self._alone = False
        self._total: int | None = None
        self._control: Any = None

    @property
    def world(self) -> int:
        """How many processes there are; 1 within `alone`."""
        return 1 if self._alone else self._world

    @property
    def main(self) -> bool:
        """Whether this is the first process, which writes and prints."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there is more than one process."""
        return self.world > 1

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within it, every process computes for itself, on whole batches, and hears of no other."""
        before, self._alone = self._alone, True
        try:
            yield
        finally:
            self._alone = before

    @contextmanager
    def sharing(self, total: int) -> Iterator[None]:
        """Within it, the batch that the processes share has `total` images; else as many for each as for this one.

        Args:
            total: images of all processes together.
        """
        before, self._total = self._total, total
        try:
            yield
        finally:
            self._total = before

    def rows(self, total: int) -> slice:
        """The rows of a batch of `total` that are this process's; the first processes have one more at most."""
        share, left = divmod(total, self.world)
        rank = self.rank if self.several else 0
        start = rank * share + min(rank, left)
        return slice(start, start + share + (rank < left))

    def drawn(self, draw: Callable[[Sequence[int]], Tensor], shape: Sequence[int]) -> Tensor:
        """This process's rows of random numbers that are drawn for the whole batch, as one process draws them.

        Args:
            draw: draws numbers of a shape.
            shape: what this process needs; the first dimension are images.
        """
        if not self.several:
            return draw(shape)
        total = shape[0] * self.world if self._total is None else self._total
        return draw((total, *shape[1:]))[self.rows(total)]

    def check_divides(self, batch_size: int) -> None:
        """Raises ConfigError if a batch can't be cut into equal parts, one for each process."""
        if batch_size % self.world:
            fit = max(1, round(batch_size / self.world)) * self.world
            raise ConfigError(
                f"a batch of {batch_size} images can't be cut into equal parts for {self.world} processes: set "
                f"search.batch_size={fit}, or launch a number of processes that divides {batch_size}"
            )

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over the processes, the same bits in each; the tensor is overwritten."""
        if self.several:
            import torch.distributed as dist

            with self._in_touch():
                dist.all_reduce(tensor)
        return tensor

    def average(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The means of tensors over the processes, by one sum over a flat copy of them all.

        Args:
            tensors: of the same shapes in each process.
        """
        if not self.several or not tensors:
            return list(tensors)
        import torch

        flat = self.sum(torch.cat([tensor.detach().reshape(-1) for tensor in tensors])) / self.world
        parts = flat.split([tensor.numel() for tensor in tensors])
        return [part.view_as(tensor).to(tensor.dtype) for part, tensor in zip(parts, tensors, strict=True)]

    def average_gradients(self, parameters: Iterable[Tensor], *figures: Tensor) -> list[Tensor]:
        """Puts the processes' mean gradients in the place of each one's own; returns the means of `figures`.

        Args:
            parameters: the same in each process; those without a gradient are left out.
            figures: scalars that are averaged by the way, such as the loss.
        """
        if not self.several:
            return list(figures)
        own = [parameter.grad for parameter in parameters if parameter.grad is not None]
        means = self.average([*own, *figures])
        for gradient, mean in zip(own, means, strict=False):
            gradient.copy_(mean)
        return means[len(own) :]

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether it is set in any process; waits for no device."""
        if not self.several:
            return flags
        import torch
        import torch.distributed as dist

        shared = torch.tensor(flags, dtype=torch.int32)
        with self._in_touch():
            dist.all_reduce(shared, dist.ReduceOp.MAX, group=self._talk())
        return tuple(bool(flag) for flag in shared.tolist())

    def broadcast(self, value: T) -> T:
        """The first process's value, in all of them."""
        return self.gather(value)[0]

    def gather(self, value: T) -> list[T]:
        """The values of all processes, plain data each, in their order."""
        if not self.several:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.world
        with self._in_touch():
            dist.all_gather_object(values, value, group=self._talk())
        return values

    def barrier(self) -> None:
        """Waits until every process is here."""
        self.gather(None)

    def on_main(self, call: Callable[[], T]) -> T | None:
        """Does something in the first process alone, while the others wait; they get None.

        Raises:
            EdgewiseError: what the first process raised.
            Followed: the same, in the others.
        """
        result, failed = None, ""
        if self.main:
            try:
                result = call()
            except EdgewiseError as error:
                self.broadcast(str(error) or "an error")
                raise
        failed = self.broadcast(failed)
        if failed:
            raise Followed(failed)
        return result

    def check_same(self, parts: Mapping[str, Iterable[Tensor]], where: str) -> None:
        """Compares tensors of all processes bit for bit.

        Args:
            parts: tensors by the name that the message calls them.
            where: in the search or training, such as "at the end of epoch 3 of the search".

        Raises:
            RunError: they differ; says where and between which processes.
        """
        if not self.several:
            return
        all_digests = self.gather({name: _digest(tensors) for name, tensors in parts.items()})
        for name in parts:
            others = [r for r, digests in enumerate(all_digests) if digests[name] != all_digests[0][name]]
            if others:
                raise RunError(
                    f"{name} of process {', '.join(map(str, others))} differ from those of process 0 {where}: "
                    "they have to be equal bit for bit; go on from the last checkpoint with --resume, and if it "
                    "happens again, with one process, or with devices and library versions that are the same"
                )

    def _talk(self) -> Any:
        """The group for plain data: on the CPU, whatever the device."""
        import torch.distributed as dist

        # The default group is never kept: whoever holds it keeps its threads alive beyond `leave`.
        if self._control is None and dist.get_backend() != "gloo":
            self._control = dist.new_group(backend="gloo")
        return self._control

    def leave(self) -> None:
        """Ends the group and its threads; a thread that outlives the interpreter would abort the process."""
        import torch.distributed as dist

        self._control = None
        if dist.is_initialized():
            dist.destroy_process_group()

    @contextmanager
    def _in_touch(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0][:160]
            raise RunError(
                f"process {self.rank} of {self.world} lost touch with the others ({reason}): one of them has "
                "ended or stands still, and its own message says why; then go on with `edgewise run --resume`"
            ) from error


ALONE = Processes()
"""One process."""


def _digest(tensors: Iterable[Tensor]) -> str:
    import hashlib

    import torch

    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
