"""An order of an inference graph's steps that needs little memory, found by a beam search."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from edgewise.nn.activations import Graph

WIDTH = 8


@dataclass(frozen=True, order=True)
class _Partial:
    """The first steps of an order: their peak, what is alive after them, which they are, and how often buffers are
    still read."""

    peak: int
    alive: int
    done: int
    order: tuple[int, ...]
    unread: tuple[int, ...]


def best_order(graph: Graph, *, width: int = WIDTH) -> tuple[int, ...]:
    """An order with a low peak, never above that of the graph's own order.

    At each place the partial orders with the lowest peak, and of these with the least alive, are kept.

    Args:
        graph: the steps.
        width: how many partial orders are kept.
    """
    maker = {step.writes: at for at, step in enumerate(graph.steps)}
    unread = [0] * len(graph.sizes)
    for step in graph.steps:
        for buffer in step.reads:
            unread[buffer] += 1
    unread[graph.result] += 1
    needs = [sum(1 << maker[b] for b in step.reads if b in maker) for step in graph.steps]
    beam = [_Partial(graph.sizes[0], graph.sizes[0], 0, (), tuple(unread))]
    for _ in graph.steps:
        found: dict[int, _Partial] = {}
        for partial in beam:
            for longer in _longer(graph, needs, partial):
                if longer.done not in found or longer < found[longer.done]:
                    found[longer.done] = longer
        beam = heapq.nsmallest(width, found.values())
    own = tuple(range(len(graph.steps)))
    return min((own, beam[0].order), key=graph.peak)


def _longer(graph: Graph, needs: list[int], partial: _Partial) -> Iterator[_Partial]:
    for at, step in enumerate(graph.steps):
        if partial.done >> at & 1 or needs[at] & ~partial.done:
            continue
        unread = list(partial.unread)
        alive = partial.alive + graph.sizes[step.writes]
        peak = max(partial.peak, alive)
        for buffer in step.reads:
            unread[buffer] -= 1
            if unread[buffer] == 0:
                alive -= graph.sizes[buffer]
        if unread[step.writes] == 0:
            alive -= graph.sizes[step.writes]
        yield _Partial(peak, alive, partial.done | 1 << at, (*partial.order, at), tuple(unread))
