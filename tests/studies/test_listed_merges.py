from dfwe.studies.listed_merges import pareto_optimal


def test_a_model_that_another_beats_everywhere_is_left_out():
    scores = {"a": {"x": 0.5, "y": 0.9}, "b": {"x": 0.4, "y": 0.8}, "c": {"x": 0.6, "y": 0.1}}
    assert pareto_optimal(scores) == ("a", "c")


def test_a_model_that_ties_on_one_task_and_loses_on_another_is_left_out():
    assert pareto_optimal({"a": {"x": 0.5, "y": 0.9}, "b": {"x": 0.5, "y": 0.8}}) == ("a",)


def test_equal_models_stay_both():
    assert pareto_optimal({"a": {"x": 0.5}, "b": {"x": 0.5}}) == ("a", "b")


def test_the_paper_s_three_surgery_models_are_the_pareto_optimal_ones():
    # Table 1, multitask models: SST, QDPD, STS
    rows = {
        "round_robin": (0.439, 0.736, 0.620),
        "surgery": (0.473, 0.727, 0.796),
        "smart": (0.478, 0.748, 0.790),
        "snli": (0.476, 0.761, 0.790),
    }
    scores = {name: dict(zip(("SST", "QDPD", "STS"), values, strict=True)) for name, values in rows.items()}
    assert pareto_optimal(scores) == ("surgery", "smart", "snli")
