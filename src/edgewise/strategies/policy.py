"""The distribution over genotypes that NASNet's controller is: an LSTM that makes one choice after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.spaces import CellSpace
from edgewise.spaces.decisions import decisions, open_options

INITIAL = 0.08
"""Weights start uniformly between this and its negative (Zoph et al. 2018, appendix A)."""


class Policy(nn.Module):
    """An LSTM with a softmax for each decision; it reads the embedding of the choice before.

    Args:
        space: its decisions.
        hidden: units of the LSTM, and length of the embeddings.
        generator: draws the start weights.

    Source: Zoph et al. 2018, §3 and appendix A.
    """

    def __init__(self, space: CellSpace, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self._space = space
        self._hidden = hidden
        wanted = decisions(space)
        # Modules fill themselves from torch's global stream before they are filled from ours.
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            self.start = nn.Parameter(torch.empty(hidden))
            self.embeddings = nn.ModuleList(nn.Embedding(decision.options, hidden) for decision in wanted[:-1])
            self.cell = nn.LSTMCell(hidden, hidden)
            self.heads = nn.ModuleList(nn.Linear(hidden, decision.options) for decision in wanted)
            for parameter in self.parameters():
                parameter.uniform_(-INITIAL, INITIAL, generator=generator)

    @torch.no_grad()
    def sample(self, generator: torch.Generator) -> tuple[int, ...]:
        """Draws the choices of one genotype."""
        choices: list[int] = []

        def draw(step: int, log_probabilities: Tensor) -> Tensor:
            drawn = torch.multinomial(log_probabilities.exp(), 1, generator=generator)
            choices.append(int(drawn))
            return drawn.flatten()

        self._unroll(1, draw, lambda step: [open_options(self._space, choices)])
        return tuple(choices)

    def forward(self, choices: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """The log-probability of choices, and the entropy of the distributions that they were drawn from.

        Args:
            choices: B tuples, one choice for each decision.

        Returns:
            log_prob [B] and entropy [B], both summed over the decisions, in nats.
        """
        given = torch.tensor([list(row) for row in choices])
        log_prob, entropy = [], []

        def follow(step: int, log_probabilities: Tensor) -> Tensor:
            log_prob.append(log_probabilities.gather(1, given[:, step : step + 1]).squeeze(1))
            p = log_probabilities.exp()
            entropy.append(-(p * log_probabilities.masked_fill(p == 0, 0.0)).sum(1))
            return given[:, step]

        self._unroll(len(choices), follow, lambda step: [open_options(self._space, row[:step]) for row in choices])
        return torch.stack(log_prob).sum(0), torch.stack(entropy).sum(0)

    def _unroll(
        self, rows: int, choose: Callable[[int, Tensor], Tensor], options: Callable[[int], list[int]]
    ) -> None:
        """Runs the LSTM over all decisions.

        Args:
            rows: B.
            choose: gets the step and log-probabilities [B, options], returns choices [B].
            options: gets the step, returns how many options are open in each row; the rest is masked.
        """
        x = self.start.expand(rows, -1)
        state = (torch.zeros_like(x), torch.zeros_like(x))
        for step, head in enumerate(self.heads):
            state = self.cell(x, state)
            logits = head(state[0])
            limit = torch.tensor(options(step)).unsqueeze(1)
            logits = logits.masked_fill(torch.arange(logits.shape[1]) >= limit, -torch.inf)
            chosen = choose(step, F.log_softmax(logits, 1))
            if step < len(self.embeddings):
                x = self.embeddings[step](chosen)


def reinforce_loss(log_prob: Tensor, advantage: Tensor) -> Tensor:
    """A loss whose gradient is minus the policy gradient, the mean of advantage times d log_prob.

    Args:
        log_prob: of the drawn choices [B].
        advantage: reward minus baseline [B].

    Source: Williams 1992.
    """
    return -(advantage * log_prob).mean()


def ppo_loss(log_prob: Tensor, before: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """The clipped surrogate, as a loss.

    Args:
        log_prob: of the drawn choices [B].
        before: the same under the policy that drew them [B].
        advantage: reward minus baseline [B].
        clip: how far the ratio of probabilities may leave 1.

    Source: Schulman et al. 2017, equation 7.
    """
    ratio = (log_prob - before).exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()
