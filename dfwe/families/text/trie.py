"""Closed sets of answers as trees of tokens, so that one decoder pass scores them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Trie:
    """A set of answers as a tree whose node 0 stands for the decoder's start; answers that begin alike share nodes.

    An answer's probability is that of each of its tokens at the node before it, so its last token needs no node.
    """

    tokens: tuple[int, ...]  # of each node; of the start, 0
    parents: tuple[int, ...]  # of each node; of the start, itself
    paths: tuple[tuple[tuple[int, int], ...], ...]  # of each answer: (node, the token that follows there)

    @classmethod
    def of(cls, answers: Sequence[Sequence[int]]) -> Trie:
        """Return the tree of these answers, each a non-empty list of ids."""
        tokens, parents = [0], [0]
        children: dict[tuple[int, int], int] = {}
        paths = []
        for answer in answers:
            node, path = 0, []
            for position, token in enumerate(answer):
                path.append((node, token))
                if position + 1 < len(answer):
                    if (node, token) not in children:
                        children[node, token] = len(tokens)
                        tokens.append(token)
                        parents.append(node)
                    node = children[node, token]
            paths.append(tuple(path))
        return cls(tuple(tokens), tuple(parents), tuple(paths))

    @property
    def depths(self) -> tuple[int, ...]:
        """Number of tokens before each node."""
        depths = [0]
        for parent in self.parents[1:]:  # a parent comes before its children
            depths.append(depths[parent] + 1)
        return tuple(depths)

    def visible(self) -> Bool[Tensor, "nodes nodes"]:
        """Return which nodes each node sees: those on its way from the start, and itself."""
        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            seen[node] |= seen[parent]
        return seen


@dataclass(frozen=True)
class PackedTries:
    """The trees of a batch's rows as tensors; rows with fewer nodes are filled up with nodes that see themselves.

    Where all rows have one tree, `visible` and `depths` have one row for all.
    """

    tokens: Int[Tensor, "rows nodes"]
    depths: Int[Tensor, "shared_rows nodes"]
    visible: Bool[Tensor, "shared_rows 1 nodes nodes"]
    row: Int[Tensor, " steps"]  # of each step of each answer: the row,
    node: Int[Tensor, " steps"]  # the node,
    token: Int[Tensor, " steps"]  # the token that follows there,
    answer: Int[Tensor, " steps"]  # and the answer, counted over the batch
    num_answers: int

    @classmethod
    def of(cls, sets: Sequence[Sequence[Sequence[int]]]) -> PackedTries:
        """Return the trees of these sets of answers, one per row."""
        keys = [tuple(tuple(answer) for answer in answers) for answers in sets]
        trie_of = {key: Trie.of(key) for key in dict.fromkeys(keys)}
        tries = [trie_of[key] for key in keys]
        nodes = max(len(trie.tokens) for trie in tries)
        printed = tries[:1] if len(trie_of) == 1 else tries
        steps, answer = [], 0
        for row, trie in enumerate(tries):
            for path in trie.paths:
                steps += [(row, node, token, answer) for node, token in path]
                answer += 1
        columns = torch.tensor(steps).unbind(1)
        return cls(
            tokens=_filled([trie.tokens for trie in tries], width=nodes),
            depths=_filled([trie.depths for trie in printed], width=nodes),
            visible=torch.stack([_square(trie.visible(), width=nodes) for trie in printed])[:, None],
            row=columns[0],
            node=columns[1],
            token=columns[2],
            answer=columns[3],
            num_answers=answer,
        )

    @property
    def lengths(self) -> Int[Tensor, " answers"]:
        """Number of tokens of each answer, the end token included."""
        return torch.bincount(self.answer, minlength=self.num_answers)

    def answers(self) -> tuple[list[int], list[list[int]]]:
        """Return the row and the ids of each answer."""
        rows, answers = [0] * self.num_answers, [[] for _ in range(self.num_answers)]  # type: list[int], list[list[int]]
        for row, token, answer in zip(self.row.tolist(), self.token.tolist(), self.answer.tolist(), strict=True):
            rows[answer] = row
            answers[answer].append(token)
        return rows, answers

    def log_likelihoods(self, logits: Float[Tensor, "rows nodes vocabulary"]) -> Float[Tensor, " answers"]:
        """Return log p of each answer, given the logits at all nodes."""
        total = logits.float().logsumexp(-1)
        of_steps = logits[self.row, self.node, self.token].float() - total[self.row, self.node]
        return torch.zeros(self.num_answers, device=of_steps.device).index_add(0, self.answer, of_steps)

    def to(self, device: torch.device) -> PackedTries:
        """Return the same on that device."""
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return PackedTries(**moved, num_answers=self.num_answers)


def forced_log_likelihoods(
    logits: Float[Tensor, "answers longest vocabulary"],
    *,
    targets: Int[Tensor, "answers longest"],
    is_real: Int[Tensor, "answers longest"],
) -> Float[Tensor, " answers"]:
    """Return log p of each answer by the logits of its own pass; padding, where `is_real` is 0, does not count."""
    of_tokens = logits.float().log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    return (of_tokens * is_real).sum(1)


def _filled(rows: Sequence[Sequence[int]], *, width: int) -> Int[Tensor, "rows nodes"]:
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])


def _square(visible: Bool[Tensor, "n n"], *, width: int) -> Bool[Tensor, "nodes nodes"]:
    square = torch.eye(width, dtype=torch.bool)
    square[: len(visible), : len(visible)] = visible
    return square
