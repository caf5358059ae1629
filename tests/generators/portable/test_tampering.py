"""A registered generator's two files as somebody else may have changed them."""

import copy
import json
import random
import re
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from rareflow.generators.portable import PortableGenerator
from tests.generators.tables import mixed, untrained

pytestmark = pytest.mark.fault

X, Y = mixed()
GENERATOR = untrained(X, Y, filter=True)[0]


@pytest.fixture
def folder(tmp_path):
    return GENERATOR.save(tmp_path / "generator")


def refusal(folder, **options):
    with pytest.raises(ValueError, match="damaged or were tampered with") as caught:
        PortableGenerator.load(folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400 + len(str(folder))
    return message


def at(spec, place):
    """The container and the last key of a place such as ``columns.0.dtype``."""
    *way, last = [int(key) if key.isdecimal() else key for key in place.split(".")]
    for key in way:
        spec = spec[key]
    return spec, last


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("codec", "pickle", "spec.codec holds 'pickle'"),
        ("columns", {}, "spec.columns holds '{}'"),
        ("columns.0.dtype", "S1000000000", "spec.columns[0].dtype holds 'S1000000000'"),
        ("columns.0.dtype", ["int8"], "spec.columns[0].dtype holds"),
        ("columns.0.name", "rate", "columns of one name"),
        ("columns.0.group", 10**9, "the column 'bytes' of spec has no place in its layout"),
        ("columns.0.scalar", 99, "the column 'bytes' of spec has no place in its layout"),
        ("columns.4.modes", [22, 80], "the column 'port' of spec has no place in its layout"),
        ("columns.4.block", None, "spec.layout.sizes holds"),
        ("columns.6.modes", ["tcp", "worm"], "the column 'proto' of spec cannot hold its values"),
        ("columns.0.dtype", "int8", "the column 'bytes' of spec cannot hold its values"),
        ("classes.0.value", [], "spec.classes[0].value holds '[]'"),
        ("columns.6.categories", "x", "the column 'proto' of spec.categories holds 'x'"),
        ("label.position", 99, "without a place"),
        ("label.dtype", "U900000000", "spec.label.dtype holds"),
        ("classes", [], "spec has no class"),
        ("classes.0.anchors", [0, 10**12], "class 'common' has the rows 0 to 1000000000000 of 120"),
        ("classes.0.straight", "yes", "spec.classes[0].straight holds 'yes'"),
        ("classes.0.anchors", [0], "spec.classes[0].anchors holds '[0]'"),
        ("classes.0.anchors", [-1, 5], "spec.classes[0].anchors holds '[-1, 5]'"),
        ("layout.sizes", [10**15], "spec.layout.sizes holds"),
        ("layout.sizes.0", 0, "spec.layout.sizes[0] holds '0'"),
        ("layout.scalars", 10**15, "tensor 'decoder.net.4.weight' has the shape"),
        ("layout.scalars", 2.5, "spec.layout.scalars holds '2.5'"),
        ("decoder.hidden_dim", 0, "spec.decoder.hidden_dim holds '0'"),
        ("decoder.latent_dim", True, "spec.decoder.latent_dim holds 'True'"),
        ("sampling.mode", "../../x", "spec.sampling.mode holds '../../x'"),
        ("sampling.noise", float("nan"), "spec.sampling.noise holds 'nan'"),
        ("sampling.filter", "yes", "spec.sampling.filter holds 'yes'"),
        ("sampling.n_neighbors", 10**12, "tensor 'anchors.neighbours' has the shape"),
    ],
)
def test_a_changed_entry_of_the_spec_is_refused_by_its_place(folder, place, value, said):
    spec = copy.deepcopy(GENERATOR.spec)
    container, key = at(spec, place)
    container[key] = value
    (folder / "spec.json").write_text(json.dumps(spec))
    assert said in refusal(folder)


@pytest.mark.parametrize("place", ["codec", "columns.0.modes", "label", "classes.0.value", "sampling.snap"])
def test_a_spec_that_lacks_an_entry_is_refused(folder, place):
    spec = copy.deepcopy(GENERATOR.spec)
    container, key = at(spec, place)
    del container[key]
    (folder / "spec.json").write_text(json.dumps(spec))
    assert re.search(r"spec\S* lacks one of .*" + str(key), refusal(folder))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "\udcff", "[" * 100_000, "9" * 10_000, '{"codec": NaN}']
)
def test_a_spec_that_is_none_is_refused(folder, text):
    (folder / "spec.json").write_bytes(text.encode(errors="surrogateescape"))
    refusal(folder)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("decoder.net.2.bias", lambda t: t[:-1], "has the shape (7,), not (8,)"),
        ("decoder.net.4.bias", None, "is lacking or is none of a generator's"),
        ("scalar.spread", lambda t: t[:1], "has the shape (1,)"),
        ("scalar.low", lambda t: t * np.nan, "holds a number that is not finite"),
        ("decoder.net.0.weight", lambda t: t.astype("f8"), "holds float64, not float32"),
        ("anchors.neighbours", lambda t: t[:, :0], "has the shape (120, 0), not (120, 3)"),
        ("anchors.raw", lambda t: t[:0], "has the shape"),
        ("anchors.raw", lambda t: t.ravel(), "has the shape"),
        ("forest.classes.children", None, "is lacking"),
        ("forest.classes.feature", None, "is lacking"),
        ("forest.classes.head_start", None, "is lacking"),
        ("forest.numbers.feature", None, "is lacking"),
        ("forest.numbers.groups", None, "is lacking"),
        ("../escape", lambda _: np.zeros(1), "'../escape' is lacking or is none of a generator's"),
    ],
)
def test_a_changed_tensor_is_refused_by_its_name(folder, name, change, said):
    tensors = dict(GENERATOR.tensors)
    held = tensors.pop(name, None)
    if change:
        tensors[name] = np.ascontiguousarray(change(held))
    save_file(tensors, folder / "weights.safetensors")
    assert said in refusal(folder)


@pytest.mark.parametrize("forest", ["classes", "numbers"])
def test_a_filter_that_lacks_one_of_its_forests_is_refused(folder, forest):
    prefix = f"forest.{forest}."
    tensors = {name: held for name, held in GENERATOR.tensors.items() if not name.startswith(prefix)}
    save_file(tensors, folder / "weights.safetensors")
    assert f"tensor '{prefix}children' is lacking" in refusal(folder)


def test_a_tensor_file_that_claims_more_than_it_holds_is_refused_before_anything_is_allocated(folder):
    header = {"anchors.raw": {"dtype": "F64", "shape": [2**40, 8], "data_offsets": [0, 2**46]}}
    text = json.dumps(header).encode()
    for head in (struct.pack("<Q", len(text)) + text, struct.pack("<Q", 2**62) + text, b""):
        (folder / "weights.safetensors").write_bytes(head + bytes(64))
        assert "holds no generator" in refusal(folder)


@pytest.mark.parametrize("name", ["spec.json", "weights.safetensors"])
def test_a_file_beyond_all_measure_is_refused_unread(folder, name):
    with (folder / name).open("r+b") as file:
        file.truncate(2**40)  # a hole, which takes no room on the disk
    assert f"{name} has 1,099,511,627,776 bytes, of at most" in refusal(folder)


@pytest.mark.parametrize("name", ["spec.json", "weights.safetensors"])
def test_a_link_that_leads_out_of_the_folder_is_refused(folder, name):
    outside = folder.parent / "outside"
    (folder / name).replace(outside)
    (folder / name).symlink_to(outside)
    assert refusal(folder).startswith(f"{name} is a link that leads out of ")


def test_real_rows_too_many_for_memory_in_codec_space_are_refused(folder, monkeypatch):
    monkeypatch.setattr("rareflow.generators.portable.tensors._MOST_NUMBERS", 120)
    assert "numbers, of at most 120" in refusal(folder)


@pytest.mark.parametrize("name", ["spec.json", "weights.safetensors"])
def test_files_of_another_digest_are_refused_by_name_and_of_the_same_one_load(folder, name):
    digests = PortableGenerator.digests(folder)
    PortableGenerator.load(folder, sha256=digests)
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1
    (folder / name).write_bytes(content)
    assert refusal(folder, sha256=digests).startswith(f"{name} has the SHA-256 ")


def scramble(value, rng):
    """A JSON value with one part of it changed at random."""
    if isinstance(value, dict | list) and value and rng.random() < 0.9:
        changed = copy.copy(value)
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        changed[key] = scramble(value[key], rng)
        return changed
    return rng.choice(
        [None, True, -1, 0, 1, 2, 7, 2**31, 2**63, 10**30, 1e308, -0.5, "", "a", "x" * 99, [], {}, [0, 1]]
    )


def ends_well(folder):
    """Whether a changed generator gives the rows asked for; if not, it was refused in one line."""
    try:
        generator = PortableGenerator.load(folder)
    except ValueError as err:
        if "\n" in str(err) or "tampered" not in str(err):
            raise AssertionError(str(err)) from err
        return False
    with np.errstate(all="ignore"):  # numbers may be any
        return len(generator.sample(generator.classes[0], 3, seed=0)) == 3


def test_whatever_is_changed_in_the_spec_it_is_refused_or_gives_the_rows_asked_for(folder):
    rng = random.Random(0)
    ended = []
    for _ in range(1_000):
        (folder / "spec.json").write_text(json.dumps(scramble(GENERATOR.spec, rng)))
        ended.append(ends_well(folder))
    assert 30 < sum(ended) < 700


def test_whatever_bytes_are_changed_in_the_tensor_file_it_is_refused_or_gives_the_rows_asked_for(folder):
    rng = random.Random(0)
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    ended = []
    for turn in range(300):
        content = bytearray(whole)
        for _ in range(rng.randrange(1, 9)):
            content[rng.randrange(header if turn % 2 else len(whole))] = rng.randrange(256)
        path.write_bytes(content[: rng.choice([None, None, rng.randrange(len(whole))])])
        ended.append(ends_well(folder))
    assert 10 < sum(ended) < 250
