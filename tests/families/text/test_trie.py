"""Answers as trees of tokens."""

from dfwe.families.text.trie import PackedTries, Trie


def test_answers_that_begin_alike_share_nodes_by_hand():
    trie = Trie.of([[5, 6, 1], [5, 7, 1], [8, 1]])
    assert trie.tokens == (0, 5, 6, 7, 8)
    assert trie.parents == (0, 0, 1, 1, 0)
    assert trie.depths == (0, 1, 2, 2, 1)
    assert trie.paths == (((0, 5), (1, 6), (2, 1)), ((0, 5), (1, 7), (3, 1)), ((0, 8), (4, 1)))


def test_a_node_sees_its_way_from_the_start_and_itself():
    seen = Trie.of([[5, 6, 1], [5, 7, 1], [8, 1]]).visible()
    assert [row.nonzero().flatten().tolist() for row in seen] == [[0], [0, 1], [0, 1, 2], [0, 1, 3], [0, 4]]


def test_an_answer_of_one_token_needs_the_start_alone():
    trie = Trie.of([[1], [2]])
    assert (trie.tokens, trie.paths) == ((0,), (((0, 1),), ((0, 2),)))


def test_rows_are_filled_up_with_nodes_that_see_themselves():
    packed = PackedTries.of([[[5, 6, 1]], [[7]]])
    assert packed.tokens.tolist() == [[0, 5, 6], [0, 0, 0]]
    assert packed.visible[1, 0].tolist() == [[True, False, False], [False, True, False], [False, False, True]]
    assert packed.row.tolist() == [0, 0, 0, 1]
    assert packed.answer.tolist() == [0, 0, 0, 1]


def test_rows_with_one_set_share_its_tree():
    packed = PackedTries.of([[[5, 1], [6, 1]]] * 3)
    assert packed.visible.shape == (1, 1, 3, 3)
    assert packed.tokens.shape == (3, 3)
    assert packed.num_answers == 6
