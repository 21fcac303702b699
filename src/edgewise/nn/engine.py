"""How the mixed operations of a supernet are carried out."""

from __future__ import annotations

from typing import Literal

Engine = Literal["auto", "plain", "grouped"]
"""`plain`: one module after the other, on any device, differentiable as often as one likes. `grouped`: the same
operators, called once for everything of a kind that leaves a node (`edgewise.nn.grouped`); on any device, as
differentiable. `auto`: kernels that do a whole cell in a few passes where they can (`edgewise.nn.native`), else
`grouped` where it pays, else `plain`. All give the same numbers, rounding aside; what `auto` gives can be
differentiated once. Hooks, which change outputs within a cell, are carried by all of them where they can draw
beforehand (`edgewise.nn.drawn_hooks`); others run plain whatever is asked for.
"""

NetworkEngine = Literal["auto", "plain"]
"""How a derived network is trained. `auto`: its depthwise and 1x1 convolutions, with ReLU and batch norm, and its
average pools on kernels (`edgewise.nn.native`) where they can: on the CPU, in float32 or float64 without autocast,
uncompiled, where a batch norm knows this process's images alone, and where no hook listens. `plain`: PyTorch's
operations, differentiable as often as one likes. Both give the same numbers, rounding aside.
"""
