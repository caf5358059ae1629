"""Laws of the tensors that a generator takes."""

import copy
import re

import pytest

from rareflow.generators.portable import PortableGenerator
from tests.generators.tables import mixed, untrained

X, Y = mixed()


def generator_of(**settings):
    return untrained(X, Y, **settings)[0]


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        ("anchors.neighbours", lambda t: t + 200, "holds a number outside 0 to 119"),
        ("anchors.modes", lambda t: t - 1, "holds a number outside 0 to "),
        ("anchors.modes", lambda t: t + 1, "holds a number outside 0 to "),
        ("forest.classes.children", lambda t: t[::-1], None),
        ("forest.classes.children", lambda t: t + 1, "holds a number outside 0 to "),
        ("forest.classes.roots", lambda t: t + 90_000, "holds a number outside 0 to "),
        ("forest.classes.feature", lambda t: t + 40, "holds a number outside 0 to "),
        ("forest.classes.value", lambda t: t[1:], "has the shape (899, 4), not (900, None)"),
        ("forest.classes.groups", lambda t: t + 1, "holds a number outside 0 to 3"),
        ("forest.numbers.groups", lambda t: t + 2, "holds a number outside 0 to 1"),
        ("forest.numbers.children", lambda t: t + 1, "holds a number outside 0 to "),
        ("forest.classes.head_start", lambda t: t[:1], "has the shape (1,), not (4,)"),
        ("forest.classes.threshold", lambda t: t[1:], "has the shape (899,), not (900,)"),
        ("anchors.mu", lambda t: t[:, :1], "has the shape (120, 1), not (120, 3)"),
        ("decoder.net.2.weight", lambda t: t[:, :2], "has the shape (8, 2), not (8, 8)"),
    ],
)
def test_tensors_that_point_beyond_each_other_are_refused_by_name(name, change, found):
    generator = generator_of(filter=True)
    tensors = generator.tensors | {name: change(generator.tensors[name])}
    if found is None:  # within bounds, so that it samples: whatever rows, but it ends
        assert len(PortableGenerator(generator.spec, tensors).sample("rare", 9, seed=0)) == 9
        return
    expected = re.sub(
        r"900|899", lambda n: str(len(generator.tensors["forest.classes.feature"]) - (n[0] == "899")), found
    )
    with pytest.raises(ValueError, match=f"^tensor '{name}' {re.escape(expected)}.*tampered with"):
        PortableGenerator(generator.spec, tensors)


def test_a_class_with_rows_that_are_not_there_is_refused():
    generator = generator_of()
    spec = copy.deepcopy(generator.spec)
    spec["classes"][0]["anchors"] = [0, 999]
    with pytest.raises(ValueError, match=r"^class 'common' has the rows 0 to 999 of 120; .*tampered"):
        PortableGenerator(spec, generator.tensors)
