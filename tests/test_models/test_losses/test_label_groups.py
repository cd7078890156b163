"""Groups of equal labels and the positive part of UniCL, against loops."""

import torch

from florence.models.losses.label_groups import group_labels, positive_similarity, sum_by_group, unique_ids_for_unlabelled


def test_unlabelled_ids_are_unique_and_negative():
    ids = unique_ids_for_unlabelled(torch.tensor([-1, 0, -1, 7]), first_index=10)
    assert ids.tolist() == [-12, 0, -14, 7]


def test_groups_of_own_rows_point_into_the_groups_of_all():
    groups = group_labels(torch.tensor([9, 2**62, 9, 5, 2**62 + 1]), slice(1, 4))
    assert groups.image_group.tolist() == [2, 1, 0]
    assert groups.text_group.tolist() == [1, 2, 1, 0, 3]
    assert groups.num_texts.tolist() == [1, 2, 1, 1]


def test_sums_and_their_gradient():
    rows = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    group = torch.tensor([2, 0, 2, 2, 0, 3])
    sums = sum_by_group(rows, group, 4)
    expected = torch.stack([rows[group == index].sum(0) for index in range(4)])
    torch.testing.assert_close(sums, expected, rtol=0, atol=1e-15)
    weight = torch.randn(4, 3, dtype=torch.float64)
    (grad,) = torch.autograd.grad((sums * weight).sum(), rows)
    assert torch.equal(grad, weight[group])


def test_positive_similarity_is_the_mean_over_positives_of_each_row():
    labels = torch.tensor([4, 1, 4, 4, 0, 1])
    images, texts = torch.randn(6, 5, dtype=torch.float64), torch.randn(6, 5, dtype=torch.float64)
    own = slice(1, 4)
    expected = sum(images[i] @ texts[labels == labels[i]].mean(0) for i in range(1, 4))
    got = positive_similarity(images[own], texts, group_labels(labels, own))
    assert abs(got.item() - expected.item()) <= 1e-14
