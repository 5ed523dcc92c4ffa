"""Gradient surgery: conflicts are projected out, and nothing else changes."""

import numpy as np
import pytest
import torch

from dfwe.families.encoder.gradient_surgery import Surgery, draw_orders, projections


def literally(gradients, orders):
    """Yu et al. 2020, Algorithm 1, line by line."""
    projected = []
    for gradient, others in zip(gradients, orders, strict=True):
        left = gradient.clone()
        for other in others:
            product = left @ gradients[other]
            if product < 0:
                left = left - product / gradients[other].norm() ** 2 * gradients[other]
        projected.append(left)
    return torch.stack(projected)


def project(gradients, orders):
    """Every task's gradient after surgery, each over all of its values."""
    products = (gradients @ gradients.T).double().numpy()
    return torch.from_numpy(projections(products[None], orders=orders)[0]).to(gradients) @ gradients


def combine(scope, *tasks, weights=None, seed=0, epoch=0, batch=0):
    """Surgery on copies: it uses up what it is given."""
    copies = [[None if each is None else torch.tensor(each) for each in task] for task in tasks]
    shares = [1.0] * len(tasks) if weights is None else weights
    return Surgery(scope, seed=seed).combine(copies, weights=shares, epoch=epoch, batch=batch)


def test_two_conflicting_gradients_lose_what_points_against_the_other():
    # (2, 0) . (-1, 1) = -2: (2, 0) + 2/2 (-1, 1) = (1, 1), and (-1, 1) + 2/4 (2, 0) = (0, 1)
    found = project(torch.tensor([[2.0, 0.0], [-1.0, 1.0]]), orders=[[1], [0]])
    torch.testing.assert_close(found, torch.tensor([[1.0, 1.0], [0.0, 1.0]]))


def test_of_three_each_is_projected_off_the_others_original_gradients_in_its_order():
    gradients = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]])
    # first: off the second (0.5, 0.5), then off the third (0.5, 0.5) + 1/2 (-1, -1) = (0, 0)
    # second: off the first (0, 1), then off the third (0, 1) + 1/2 (-1, -1) = (-0.5, 0.5), which is not looked at again
    # third, the second first: no conflict; then off the first (0, -1)
    found = project(gradients, orders=[[1, 2], [0, 2], [1, 0]])
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0], [-0.5, 0.5], [0.0, -1.0]]))


def test_gradients_that_agree_stay_as_they_are():
    gradients = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    assert torch.equal(project(gradients, orders=[[1, 2], [2, 0], [0, 1]]), gradients)


@pytest.mark.parametrize("num_tasks", [2, 3, 5])
def test_products_alone_give_what_the_algorithm_gives_line_by_line(num_tasks):
    generator = np.random.default_rng(num_tasks)
    for _ in range(20):
        gradients = torch.from_numpy(generator.standard_normal((num_tasks, 7)))
        orders = draw_orders(num_tasks, generator=generator)
        torch.testing.assert_close(project(gradients, orders=orders), literally(gradients, orders))


def test_by_parameter_each_tensor_is_operated_on_by_itself():
    # the first tensors conflict, the second ones agree
    found = combine("parameter", [[2.0, 0.0], [1.0]], [[-1.0, 1.0], [3.0]])
    torch.testing.assert_close(found, [torch.tensor([1.0, 2.0]), torch.tensor([4.0])])


def test_on_the_whole_gradient_tensors_that_agree_make_up_for_one_that_does_not():
    # -2 in the first tensor, 3 in the second
    found = combine("whole", [[2.0, 0.0], [1.0]], [[-1.0, 1.0], [3.0]])
    torch.testing.assert_close(found, [torch.tensor([1.0, 1.0]), torch.tensor([4.0])])
    # -2 and 1, that is -1: the first gains 1/3 of the second, which gains 1/5 of the first
    found = combine("whole", [[2.0, 0.0], [1.0]], [[-1.0, 1.0], [1.0]])
    expected = [torch.tensor([2 - 1 / 3 - 1 + 2 / 5, 1 / 3 + 1]), torch.tensor([1 + 1 / 3 + 1 + 1 / 5])]
    torch.testing.assert_close(found, expected)


def test_weights_count_in_the_sum_and_might_as_well_be_in_the_gradients():
    found = combine("parameter", [[2.0, 0.0]], [[-1.0, 1.0]], weights=[0.5, 1.0])
    torch.testing.assert_close(found, [torch.tensor([0.5, 1.5])])
    torch.testing.assert_close(combine("parameter", [[1.0, 0.0]], [[-1.0, 1.0]]), found)


def test_a_parameter_that_one_task_reaches_has_its_gradient_alone_and_one_that_none_reaches_none():
    found = combine("whole", [[1.0], [5.0], None], [[-1.0], None, None], weights=[2.0, 1.0])
    assert found[1].tolist() != [10.0]  # on the whole gradient it is operated on, too
    found = combine("parameter", [[1.0], [5.0], None], [[-1.0], None, None], weights=[2.0, 1.0])
    assert found[1].tolist() == [10.0]
    assert found[2] is None


@pytest.mark.parametrize("scope", ["parameter", "whole"])
def test_a_gradient_too_short_to_be_squared_is_no_conflict(scope):
    found = combine(scope, [[1.0, 0.0]], [[-1e-30, 0.0]])
    assert found[0].tolist() == [1.0, 0.0]


def test_the_result_takes_no_memory_of_its_own():
    gradients = [[torch.tensor([2.0, 0.0])], [torch.tensor([-1.0, 1.0])]]
    places = {gradient[0].data_ptr() for gradient in gradients}
    (found,) = Surgery("parameter", seed=0).combine(gradients, weights=[1.0, 1.0], epoch=0, batch=0)
    assert found.data_ptr() in places


def test_orders_are_of_the_seed_the_epoch_and_the_batch():
    tasks = [[[1.0, 0.0]], [[-1.0, 1.0]], [[-1.0, -1.0]]]
    found = {combine("parameter", *tasks, batch=batch)[0].numpy().round(5).tobytes() for batch in range(20)}
    assert len(found) > 1
    places = [{"seed": 1}, {"epoch": 1}, {"batch": 1}]
    assert all(torch.equal(*(combine("whole", *tasks, **place)[0] for _ in range(2))) for place in places)
