"""How the mixed operations of a supernet are carried out."""

from __future__ import annotations

from typing import Literal

Engine = Literal["auto", "plain"]
"""`plain`: one module after the other, on any device, differentiable as often as one likes. `auto`: kernels that
do a whole cell in a few passes where they can (`edgewise.nn.native`), else `plain`. Both give the same numbers,
rounding aside; what `auto` gives can be differentiated once.
"""
