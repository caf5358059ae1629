import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from rareflow.generators import filter as forests
from rareflow.generators.filter import fit_forest, forest_arrays
from rareflow.generators.portable import SAMPLING_MODES, SNAPS, Draw, forest_features
from rareflow.generators.portable.filter import Filter
from rareflow.generators.portable.sampling import Sampling
from tests.generators.tables import mixed, untrained

X, Y = mixed()
COUNTS = np.array([106, 2, 11, 1])  # of common, pair, rare, single


@pytest.fixture
def seen(monkeypatch):
    """What the filter's forests were fitted on, the first at the top, and which forged rows were crossed."""
    told = {"crossed": [], "fitted": []}
    fit, draw = forests.fit_forest, Sampling.draw

    def listen(features, kinds, seed, trees):
        told["fitted"].append((features.copy(), kinds))
        told["features"], told["kinds"] = told["fitted"][0]
        return fit(features, kinds, seed, trees)

    def watch(self, index, count, rng, temperature=1.0, *, cross=True):
        told["crossed"].append(cross)
        return draw(self, index, count, rng, temperature, cross=cross)

    monkeypatch.setattr(forests, "fit_forest", listen)
    monkeypatch.setattr(Sampling, "draw", watch)
    return told


@pytest.mark.parametrize("mode", ["crossover", "residual", "prior"])
def test_the_filter_learns_the_real_rows_and_forged_ones_to_the_geometric_mean_with_the_largest(seen, mode):
    tensors = untrained(X, Y, mode=mode, filter=True)[0].tensors
    real = forest_features(tensors["anchors.raw"].T, tensors["anchors.modes"].T).T
    assert (seen["features"][: len(X)] == real).all()
    assert (seen["kinds"][: len(X)] == np.repeat(np.arange(4), COUNTS)).all()
    assert np.bincount(seen["kinds"]).tolist() == np.sqrt(COUNTS * 106).round().tolist()


def test_the_filter_learns_no_crossed_row(seen):
    untrained(X, Y, mode="crossover", filter=True)
    assert seen["crossed"] == [False] * 4


def test_the_filter_learns_copies_of_a_class_of_one_row(seen):
    untrained(X, Y, mode="crossover", filter=True)
    own = seen["features"][seen["kinds"] == 3]
    assert len(own) == 10
    assert (own == own[0]).all()


def test_the_filter_learns_nothing_forged_of_one_class_alone_or_of_equal_ones(seen):
    for labels in (["only"] * 120, ["a", "b"] * 60, [f"{row}" for row in range(120)]):
        untrained(X, pd.Series(labels, name="attack"), mode="crossover", filter=True)
        assert len(seen["kinds"]) == 120


def test_the_filter_s_forests_know_every_class(seen):
    generator = untrained(X, Y, mode="crossover", filter=True)[0]
    assert generator.tensors["forest.classes.value"].shape[1] == len(generator.classes)
    assert set(seen["kinds"].tolist()) == {0, 1, 2, 3}


def test_without_a_filter_no_forest_is_kept():
    assert not [name for name in untrained(X, Y, filter=False)[0].tensors if name.startswith("forest.")]


def shared_ground(*, discrete=False, **sampling):
    """A generator of a class that stands alone and of three that share their ground, two of them small."""
    rng = np.random.default_rng(0)
    labels = pd.Series(["alone"] * 200 + ["many"] * 150 + ["few"] * 50 + ["some"] * 60, name="attack")
    table = pd.DataFrame(rng.normal(size=(460, 3)), columns=list("abc"))
    table.loc[labels == "alone", "a"] += 20
    if discrete:
        table = table.round().astype(int).astype(str)
    return untrained(table, labels, filter=True, **{"mode": "crossover"} | sampling)[0]


def known(generator):
    """The share of each class's rows on straight lines, newly drawn, that its filter keeps."""
    rng = np.random.default_rng(9)
    return {
        label: generator.filter.is_own(generator.sampling.draw_straight(index, 4_000, rng), index).mean()
        for index, label in enumerate(generator.classes)
    }


def head_start(generator):
    return dict(zip(generator.classes, generator.tensors["forest.classes.head_start"], strict=True))


@pytest.mark.parametrize("snap", SNAPS)
@pytest.mark.parametrize("discrete", [False, True])  # and where many rows are as clear as one another
def test_the_filter_refuses_a_tenth_at_most_of_the_rows_between_real_ones_whoever_shares_their_ground(
    discrete, snap
):
    generator = shared_ground(discrete=discrete, snap=snap)
    assert min(known(generator).values()) > 0.86
    generator.filter.forests[0]["head_start"] = np.zeros(4, np.float32)
    assert known(generator)["few"] < 0.7


def test_ground_that_the_commonest_class_shares_is_left_to_it():
    rng = np.random.default_rng(0)
    labels = pd.Series(["normal"] * 300 + ["attack"] * 60, name="attack")
    table = pd.DataFrame(rng.normal(size=(360, 3)), columns=list("abc"))
    assert set(head_start(untrained(table, labels, mode="crossover", filter=True)[0]).values()) == {0}


def test_a_class_that_stands_alone_has_no_head_start_and_the_others_no_more_than_they_need():
    generator = shared_ground()
    assert head_start(generator)["alone"] == 0
    assert known(generator)["few"] == pytest.approx(0.9, abs=0.04)


@pytest.mark.parametrize("architecture", ["vae-wgan-gp", "wgan-gp"])
def test_rows_that_are_not_drawn_near_real_ones_have_no_head_start(architecture):
    generator = shared_ground(mode="prior", architecture=architecture)
    assert set(head_start(generator).values()) == {0}


def filter_of(forest, head_start=0):
    """A filter of one forest, each of whose classes is a group of its own with some votes to begin with."""
    groups = np.arange(forest["value"].shape[1])
    return Filter([forest | {"groups": groups, "head_start": np.full(len(groups), head_start, np.float32)}])


def test_the_forests_as_arrays_say_what_the_mean_of_scikit_learn_s_two_says_of_any_row():
    rng = np.random.default_rng(0)
    features = 2.0 * rng.integers(0, 10, (400, 4)).astype(np.float32)  # thresholds are odd numbers, then
    classes = (features[:, :2].sum(axis=1) > 20).astype(int)
    classes[(features[:, 2] > 12) & (rng.random(400) < 0.8)] = 2
    forest = forest_arrays(fit_forest(features, classes, 5, 32))
    judges = filter_of(forest)
    references = [
        maker(32, max_depth=forests._DEPTH, random_state=5).fit(features, classes)
        for maker in (RandomForestClassifier, ExtraTreesClassifier)
    ]
    in_turn = [
        tree.tree_.node_count
        for pair in zip(*(reference.estimators_ for reference in references), strict=True)
        for tree in pair
    ]
    assert np.diff(forest["roots"]).tolist() == in_turn[:-1]  # so that the first few trees speak for all

    rows = rng.integers(-1, 21, (3_000, 4))  # every second number stands on a threshold
    draw = Draw(rows.T, np.empty((0, 3_000)))
    found = np.stack([judges.is_own(draw, index) for index in range(3)], axis=1)
    share = sum(reference.predict_proba(rows) for reference in references)
    ranked = np.sort(share, axis=1)
    clear = ranked[:, -1] - ranked[:, -2] > 1e-6  # our leaves are float32: a tie may fall either way
    assert clear.mean() > 0.95
    assert (found == (share == share.max(axis=1, keepdims=True)))[clear].all()
    assert found[clear].any(axis=0).all()


def test_forests_of_one_class_and_one_feature_are_leaves_that_give_every_row_to_it():
    forest = forest_arrays(
        fit_forest(np.arange(6.0, dtype=np.float32)[:, None], np.zeros(6, dtype=np.intp), 0, 32)
    )
    judges = filter_of(forest)
    assert (forest["children"].reshape(-1, 2)[:, 0] == np.arange(len(forest["roots"]))).all()
    assert judges.is_own(Draw(np.array([[-9.0, 9.0]]), np.empty((0, 2))), 0).tolist() == [True, True]


def test_a_forest_sees_missing_and_huge_numbers_as_finite_ones():
    features = forest_features(np.array([[np.nan], [1e300], [-1e300]]), np.array([[3]]))
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert features[[0, 3], 0].tolist() == [0.0, 3.0]


def between_spikes(attacks=60):
    """A generator of one class that has two numbers alone, spikes, and one whose numbers lie beyond."""
    rng, rows = np.random.default_rng(0), 400 + attacks
    labels = pd.Series(["normal"] * 400 + ["attack"] * attacks, name="attack")
    far = rng.choice([-1, 1], rows) * rng.normal(40, 5, rows)
    a = np.where(labels == "normal", rng.choice([0.60, 0.64], rows), far)
    table = pd.DataFrame({"a": a, "b": rng.normal(size=rows)})
    return untrained(table, labels, mode="crossover", filter=True)[0]


def numbers(generator, value):
    """Rows of one number in the first column."""
    (entry, *_) = generator.spec["columns"]
    assert entry["modes"] == [0.60, 0.64]
    mode = entry["modes"].index(value) if value in entry["modes"] else 2
    return Draw(np.stack([np.full(50, value), np.zeros(50)]), np.full((1, 50), mode, np.int16))


def test_a_rare_class_gets_no_row_among_the_numbers_of_the_commonest_though_it_has_none_of_its_spikes():
    generator = between_spikes()
    attack = generator.classes.index("attack")
    assert generator.filter.is_own(numbers(generator, 42.0), attack).all()
    assert not generator.filter.is_own(numbers(generator, 0.62), attack).any()
    generator.filter.forests.pop()
    assert generator.filter.is_own(numbers(generator, 0.62), attack).all(), (
        "to the first forest it is a far number"
    )


def test_the_second_forest_judges_no_row_of_a_commonest_class():
    generator = between_spikes()
    generator.filter.forests[1]["value"][:] = [1.0, 0.0]  # all for the rare classes
    assert generator.filter.is_own(numbers(generator, 0.60), generator.classes.index("normal")).all()
    generator.filter.forests[1]["value"][:] = [0.0, 1.0]
    assert not generator.filter.is_own(numbers(generator, 42.0), generator.classes.index("attack")).any()


@pytest.mark.parametrize(("attacks", "kept"), [(19, 1.0), (20, 0.0)])
def test_the_second_forest_judges_no_row_of_a_class_of_fewer_than_20_rows(attacks, kept):
    generator = between_spikes(attacks)
    assert generator.filter.is_own(numbers(generator, 0.62), generator.classes.index("attack")).mean() == kept


@pytest.mark.parametrize("fitted", [0, 1])
def test_the_second_forest_learns_commonest_or_not_from_the_same_rows_without_the_modes_of_numbers(
    seen, fitted
):
    generator = untrained(X, Y, mode="crossover", filter=True)[0]
    features, answers = seen["fitted"][fitted]
    scalars, columns = generator.layout.scalars, generator.spec["columns"]
    spiked = [
        entry["block"] for entry in columns if entry["scalar"] is not None and entry["block"] is not None
    ]
    assert [entry["name"] for entry in columns if entry["block"] in spiked] == ["bytes", "rate", "seen"]
    modes = features[:, [scalars + block for block in spiked]]
    others = np.delete(features, [scalars + block for block in spiked], axis=1)
    assert (modes == 0).all() == (fitted == 1)
    assert (others == np.delete(seen["features"], [scalars + block for block in spiked], axis=1)).all()
    assert (answers == (seen["kinds"] == 0 if fitted else seen["kinds"])).all()


@pytest.mark.parametrize("head_start", [0, 20])
@pytest.mark.parametrize("spread", [1, 40])  # all rows on one side of most nodes, and on both
def test_rows_that_leave_the_vote_early_are_judged_as_if_every_tree_had_voted(spread, head_start):
    rng = np.random.default_rng(1)
    features = rng.integers(0, 40, (600, 5)).astype(np.float32)
    classes = (features[:, 0] // 10 + (rng.random(600) < 0.3)).astype(int)  # many a leaf is divided
    forest = forest_arrays(fit_forest(features, classes, 0, 32))
    draw = Draw(rng.integers(0, spread, (3, 999)) * 1.0, rng.integers(0, spread, (2, 999)))
    x, rows = forest_features(draw.scalars, draw.modes), np.arange(999)
    votes = np.zeros((999, classes.max() + 1), np.float32)
    for root in forest["roots"]:
        node = np.full(999, root)
        for _ in range(forests._DEPTH):
            is_right = x[forest["feature"][node], rows] > forest["threshold"][node]
            node = forest["children"].reshape(-1, 2)[node, is_right.astype(int)]
        votes += forest["value"][node]
    judges = filter_of(forest, head_start)
    for own in range(votes.shape[1]):
        expected = votes[:, own] + head_start >= np.delete(votes, own, axis=1).max(axis=1)
        assert (judges.is_own(draw, own) == expected).all()
        assert spread == 1 or 0 < expected.mean() < 1


def rarer(rows, *, noise, **sampling):
    """A generator of a common class, two of 60 rows, and one of fewer, in a corner of `like`'s ground."""
    rng = np.random.default_rng(0)
    labels = pd.Series(["normal"] * 300 + ["like"] * 60 + ["other"] * 60 + ["few"] * rows, name="attack")
    table = pd.DataFrame(rng.normal(size=(len(labels), 3)), columns=list("abc"))
    table.loc[labels == "normal", "a"] -= 20
    table.loc[labels == "other", "a"] += 20
    table.loc[labels == "few", "b"] = 3 + 0.1 * rng.random(rows)
    return untrained(table, labels, **{"mode": "crossover", "filter": True, "noise": noise} | sampling)[0]


def on_lines(generator):
    return [entry["name"] for entry in generator.spec["classes"] if entry["straight"]]


def test_a_class_rarer_than_its_like_is_drawn_on_straight_lines_where_noise_makes_its_rows_doubtful():
    assert on_lines(rarer(10, noise=5.0)) == ["few"]
    assert on_lines(rarer(10, noise=0.0)) == []


@pytest.mark.parametrize(("rows", "found"), [(9, []), (10, ["few"]), (44, ["few"]), (45, [])])
def test_a_class_of_nine_rows_or_of_three_quarters_of_what_its_like_has_keeps_its_noise(rows, found):
    assert on_lines(rarer(rows, noise=5.0)) == found


@pytest.mark.parametrize("how", [{"mode": mode} for mode in SAMPLING_MODES[:-1]] + [{"filter": False}])
def test_no_class_is_drawn_on_straight_lines_in_another_mode_or_without_a_filter(how):
    assert on_lines(rarer(10, noise=5.0, **how)) == []


@pytest.mark.parametrize("labels", [["only"] * 120, ["a", "b"] * 60, ["a"] * 100 + ["b"] * 20])
def test_no_class_without_its_like_is_drawn_on_straight_lines(labels):
    assert on_lines(untrained(X, pd.Series(labels, name="attack"), mode="crossover", filter=True)[0]) == []
