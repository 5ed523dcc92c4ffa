"""Divide groups of rows among splits so that each split has its share of every label."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from dfwe.records import Split


def stratified(
    labels: Mapping[str, Counter[str]], *, fractions: Mapping[Split, float], seed: int
) -> dict[Split, tuple[str, ...]]:
    """Return the groups of each split, in the order of `labels`, which has each group's number of rows by label.

    Groups with the rarest label come first, as in iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011), of
    these the largest. Each goes to the split where it brings chi-square down most, the sum over labels and splits of
    (rows - share)^2 / share; of equal splits to the one that lacks most rows at all, then to the first of `fractions`.
    Which of equal groups comes first is drawn with `seed`.
    """
    total = _sum(labels)
    splits = {split: _Split(fraction, total, total.total()) for split, fraction in fractions.items()}
    split_of: dict[str, Split] = {}
    for group in _in_turn(labels, seed=seed):
        split_of[group] = max(splits, key=lambda split: splits[split].lacks(labels[group]))
        splits[split_of[group]].add(labels[group])
    return {split: tuple(group for group in labels if split_of[group] == split) for split in fractions}


@dataclass
class _Split:
    """The rows that a split has so far, and the share of all rows that it is to have."""

    fraction: float
    total: Mapping[str, int]
    total_size: int
    rows: Counter[str] = field(default_factory=Counter)
    size: int = 0

    def lacks(self, group: Counter[str]) -> tuple[float, float]:
        """Return how much a group would bring chi-square down, and how many rows are lacking."""
        of_labels = (_closer(n, self.rows[label], self.fraction * self.total[label]) for label, n in group.items())
        share = self.fraction * self.total_size
        # all rows count as one label more, without which splits of many labels stay empty
        return round(sum(of_labels) + _closer(group.total(), self.size, share), 9), round(share - self.size, 6)

    def add(self, group: Counter[str]) -> None:
        self.rows.update(group)
        self.size += group.total()


def _in_turn(labels: Mapping[str, Counter[str]], *, seed: int) -> Iterator[str]:
    """Yield each group once: those with the rarest label first, of these the largest."""
    names = list(labels)
    drawn = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    groups = defaultdict(list)
    for group in sorted(drawn, key=lambda name: -labels[name].total()):
        for label in labels[group]:
            groups[label].append(group)
    rows, placed = _sum(labels), set[str]()
    heap = [(number, label) for label, number in rows.items()]
    heapq.heapify(heap)
    while heap:
        number, label = heapq.heappop(heap)
        if number != rows[label]:  # rows of it were placed with a rarer label
            heapq.heappush(heap, (rows[label], label))
            continue
        for group in groups[label]:
            if group not in placed:
                placed.add(group)
                rows.subtract(labels[group])
                yield group


def _sum(labels: Mapping[str, Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for group in labels.values():
        total.update(group)
    return total


def _closer(number: int, there: int, share: float) -> float:
    """Return by how much `number` more rows bring chi-square down, where `there` are there of `share` wanted."""
    return number * (2 * (share - there) - number) / share
