"""Which epoch is kept."""

from dfwe.training.stopping import EpochScores, choose_epoch


def history(*targets, own=None):
    owns = own or [None] * len(targets)
    return [EpochScores(target, each) for target, each in zip(targets, owns, strict=True)]


def test_the_best_epoch_is_kept():
    choice = choose_epoch(history(0.1, 0.5, 0.3), stop_on="target", patience=3)
    assert (choice.epoch, choice.criterion, choice.stop) == (1, "target", False)


def test_a_tie_goes_to_the_later_epoch():
    assert choose_epoch(history(0.5, 0.1, 0.5, 0.2), stop_on="target", patience=3).epoch == 2


def test_training_stops_after_as_many_epochs_without_a_new_best_as_patience_says():
    assert not choose_epoch(history(0.5, 0.1), stop_on="target", patience=2).stop
    assert choose_epoch(history(0.5, 0.1, 0.2), stop_on="target", patience=2).stop


def test_a_plateau_ends_training_and_its_latest_epoch_is_kept():
    choice = choose_epoch(history(0.1, 0.5, 0.5, 0.5), stop_on="target", patience=2)
    assert (choice.epoch, choice.stop) == (3, True)
    assert not choose_epoch(history(0.1, 0.5, 0.5), stop_on="target", patience=2).stop


def test_a_model_that_has_not_begun_to_learn_is_waited_for():
    assert not choose_epoch(history(0.2, 0.2, 0.2, 0.2), stop_on="target", patience=2).stop
    assert not choose_epoch(history(0.2, 0.2, 0.1, 0.2, 0.1), stop_on="target", patience=2).stop


def test_a_constant_target_score_falls_back_to_the_experts_own():
    choice = choose_epoch(history(0.2, 0.2, 0.2, own=[0.1, 0.6, 0.4]), stop_on="target", patience=5)
    assert (choice.epoch, choice.criterion, choice.fell_back) == (1, "own", True)


def test_a_target_score_that_moved_counts_again():
    choice = choose_epoch(history(0.2, 0.2, 0.1, own=[0.1, 0.2, 0.9]), stop_on="target", patience=5)
    assert (choice.epoch, choice.criterion, choice.fell_back) == (1, "target", False)


def test_own_stops_on_the_source_and_on_the_target_where_there_is_no_source():
    assert choose_epoch(history(0.9, 0.1, own=[0.1, 0.2]), stop_on="own", patience=5).epoch == 1
    assert choose_epoch(history(0.9, 0.1), stop_on="own", patience=5).criterion == "target"


def test_last_keeps_the_last_epoch_without_any_score():
    choice = choose_epoch(history(None, None), stop_on="last", patience=1)
    assert (choice.epoch, choice.criterion, choice.stop) == (1, "last", False)
