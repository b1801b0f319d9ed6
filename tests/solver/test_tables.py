"""Columns: rows in another order, some of them, and which of them are alike."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from solver.tables import SparseRows, alike

mappings = st.lists(st.dictionaries(st.integers(0, 3), st.integers(-1, 1), max_size=3), min_size=1, max_size=12)


@given(mappings, st.randoms(use_true_random=False))
def test_rows_keep_their_entries_in_any_order(rows: list[dict[int, int]], choice: Any) -> None:
    sparse = SparseRows.from_mappings(rows)
    order = choice.choices(range(len(rows)), k=len(rows))
    taken = sparse.take(np.array(order, np.int64))
    assert [list(taken.at(i).items()) for i in range(len(rows))] == [sorted(rows[i].items()) for i in order]
    assert taken.ascending
    first, end = sorted(choice.choices(range(len(rows) + 1), k=2))
    assert [sparse[first:end].at(i) for i in range(end - first)] == rows[first:end]


@given(mappings, st.data())
def test_rows_are_alike_where_every_column_is(rows: list[dict[int, int]], data: st.DataObject) -> None:
    column = data.draw(
        st.lists(st.integers(-(10**9), 10**9) | st.integers(0, 1), min_size=len(rows), max_size=len(rows))
    )
    sparse = SparseRows.from_mappings([dict(sorted(row.items())) for row in rows])
    number = alike(np.array(column, np.int64), sparse).tolist()
    keys = [(n, tuple(sorted(row.items()))) for n, row in zip(column, rows, strict=True)]
    for key, n in zip(keys, number, strict=True):
        assert [m == n for m in number] == [other == key for other in keys]
        assert (n < 0) == (keys.count(key) == 1)
