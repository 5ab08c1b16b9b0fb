import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from profiles import Column, TraceTable
from profiles.tables.quality import (
    concatenate,
    drop_interval,
    drops,
    merge,
    paired_drop,
    share,
    table_of,
)


def table(right, whole, ids=None):
    n = len(right)
    values = np.stack([right, whole], 1)[:, :, None].astype(float)
    dims = ("sample", "cut", "setting")
    return TraceTable(
        model="net",
        cuts=("stem", "output"),
        settings=("mild",),
        sample_ids=np.arange(n) if ids is None else ids,
        columns={"payload_bytes": np.zeros((n, 2, 1)), "correct": values},
        schema={
            "payload_bytes": Column(unit="B", dims=dims),
            "correct": Column(unit="1", dims=dims),
        },
        provenance={"model_digest": "a"},
    )


def test_drop_counts_pairs():
    (drop,) = drops(table([1, 0, 0, 1, 1], [1, 1, 1, 0, 1]))
    assert (drop.n_lost, drop.n_gained, drop.n) == (2, 1, 5)
    assert drop.drop.mean == pytest.approx(0.2)
    assert drop.accuracy == pytest.approx(0.6)


@pytest.mark.parametrize(("lost", "gained"), [(0.0, 0.0), (0.004, 0.001), (0.03, 0.01)])
def test_the_interval_covers_the_true_drop(lost, gained):
    generator = np.random.default_rng(7)
    counts = generator.multinomial(1000, [lost, gained, 1 - lost - gained], size=4000)
    found = [drop_interval(1000, int(b), int(c)) for b, c, _ in counts]
    covered = np.mean([interval.lo <= lost - gained <= interval.hi for interval in found])
    assert covered > 0.94


def test_3000_pairs_without_a_difference_give_less_than_a_fifth_of_a_point():
    interval = drop_interval(3000, 0, 0)
    assert interval.mean == 0
    assert interval.hi == -interval.lo < 0.001


def test_random_weights_have_no_drop():
    with pytest.raises(ValueError, match="trace of net knows no right answers"):
        drops(table([np.nan], [np.nan]))


def test_folds_join_and_a_sample_in_two_folds_is_refused():
    joined = concatenate([table([1, 0], [1, 1]), table([1], [1], ids=[7])])
    assert joined.sample_ids.tolist() == [0, 1, 7]
    assert drops(joined)[0].n_lost == 1
    assert joined.provenance["model_digest"] == "a+a"
    with pytest.raises(ValueError, match="sample_ids must be distinct"):
        concatenate([table([1, 0], [1, 1]), table([1], [1])])


def test_drops_of_disjoint_samples_merge_to_the_drop_of_all():
    (first,) = drops(table([1, 0, 1], [1, 1, 1]))
    (second,) = drops(table([0, 1], [1, 0]))
    (whole,) = drops(table([1, 0, 1, 0, 1], [1, 1, 1, 1, 0]))
    assert merge(first, second) == whole


def test_the_table_is_markdown():
    text = table_of(drops(table([1, 0], [1, 1])))
    assert text.splitlines()[2] == "| stem | mild | 2 | 50.00 | 50.00 | -56.26 .. 100.00 |"


def test_the_drop_of_a_score_has_students_interval():
    numbers = np.random.default_rng(3)
    whole = numbers.uniform(0.5, 1.0, 40)
    coded = whole - numbers.uniform(0.0, 0.1, 40)
    test = ttest_rel(whole, coded).confidence_interval(0.95)
    found = paired_drop(whole, coded)
    assert found == pytest.approx(((whole - coded).mean(), test.low, test.high))
    assert paired_drop(whole, whole) == (0.0, 0.0, 0.0)
    mean = ttest_1samp(whole, 0.0).confidence_interval(0.95)
    assert share(whole) == pytest.approx((whole.mean(), mean.low, mean.high))


def test_right_and_wrong_keep_the_intervals_of_shares():
    right = np.array([1.0, 0.0, 1.0, 1.0])
    assert paired_drop(right, right) == drop_interval(4, 0, 0)
    assert share(right).lo == pytest.approx(0.3006, abs=1e-3)  # Wilson, 3 of 4
