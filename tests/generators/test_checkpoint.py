import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rareflow import VAEWGANGP
from rareflow.errors import ConfigError, StoreError
from rareflow.generators.checkpoint import Checkpoint
from rareflow.generators.training import Training
from rareflow.generators.training_config import ARCHITECTURES

pytestmark = pytest.mark.fault

X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=["a", "b", "c"])
Y = ["x", "y"] * 20


class Killed(BaseException):
    """What ends a process in mid-training."""


def model(**params):
    settings = {
        "steps": 7,
        "hidden_dim": 8,
        "latent_dim": 2,
        "n_critic": 2,
        "batch_size": 16,
        "filter": False,
    }
    return VAEWGANGP(**{**settings, "random_state": 3, **params})


def killed_at(number):
    def on_step(step):
        if step.step == number:
            raise Killed

    return on_step


def cut_off(folder, number=5, every=2, **params):
    with pytest.raises(Killed):
        model(**params).fit(X, Y, on_step=killed_at(number), checkpoint=Checkpoint(folder, every))
    return list(folder.iterdir())


@pytest.fixture
def turns(monkeypatch):
    """Counts the turns that trainings do."""
    done, honest = [], Training.turn
    monkeypatch.setattr(Training, "turn", lambda self: (done.append(len(self.history) + 1), honest(self))[1])
    return done


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_training_that_was_cut_off_goes_on_and_ends_with_the_same_bits(tmp_path, turns, architecture):
    whole = model(architecture=architecture).fit(X, Y)
    assert len(cut_off(tmp_path, architecture=architecture)) == 1
    turns.clear()
    resumed = model(architecture=architecture).fit(X, Y, checkpoint=Checkpoint(tmp_path, 2))
    assert turns == [5, 6, 7]  # the checkpoint of step 4 is the last whole one
    assert str(resumed.history_) == str(whole.history_)
    assert resumed.generator_.spec == whole.generator_.spec
    for name, tensor in whole.generator_.tensors.items():
        np.testing.assert_array_equal(resumed.generator_.tensors[name], tensor, err_msg=name)


def test_a_training_that_ended_leaves_no_file(tmp_path):
    model().fit(X, Y, checkpoint=Checkpoint(tmp_path, 1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "other", [{"random_state": 4}, {"steps": 8}, {"latent_dim": 3}, {"learning_rate": 0.01}]
)
def test_another_training_does_not_go_on_from_it(tmp_path, turns, other):
    cut_off(tmp_path)
    turns.clear()
    model(**other).fit(X, Y, checkpoint=Checkpoint(tmp_path, 2))
    assert turns[0] == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_training_on_other_rows_does_not_go_on_from_it(tmp_path, turns):
    cut_off(tmp_path)
    for rows, labels in ((X**2, Y), (X, Y[::-1])):
        turns.clear()
        model().fit(rows, labels, checkpoint=Checkpoint(tmp_path, 2))
        assert turns[0] == 1


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_checkpoint_is_refused_with_its_name_and_the_remedy(tmp_path, share):
    (file,) = cut_off(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        StoreError, match=rf"^the checkpoint {re.escape(str(file))} is damaged; delete it to begin anew \("
    ):
        model().fit(X, Y, checkpoint=Checkpoint(tmp_path, 2))


def test_a_checkpoint_that_is_cut_off_while_it_is_written_leaves_the_one_before_whole(tmp_path, monkeypatch):
    (file,) = cut_off(tmp_path, number=3)
    before = file.read_bytes()

    honest = Path.write_bytes

    def half_written(path, _):
        honest(path, b"half")
        raise Killed

    monkeypatch.setattr(Path, "write_bytes", half_written)
    with pytest.raises(Killed):
        model().fit(X, Y, checkpoint=Checkpoint(tmp_path, 2))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_two_processes_that_do_the_same_training_leave_each_other_s_half_written_files_alone(
    tmp_path, monkeypatch
):
    written, honest = [], Path.write_bytes

    def while_another_process_does_the_same(path, state):
        written.append(path)
        honest(path, state)
        if len(written) == 1:
            with monkeypatch.context() as other:
                other.setattr("os.getpid", lambda: 1)
                cut_off(tmp_path, number=3)

    monkeypatch.setattr(Path, "write_bytes", while_another_process_does_the_same)
    whole = model().fit(X, Y).sample("x", 9, random_state=0)
    again = model().fit(X, Y, checkpoint=Checkpoint(tmp_path, 2)).sample("x", 9, random_state=0)
    pd.testing.assert_frame_equal(again, whole)
    assert len(set(written)) == 2


@pytest.mark.parametrize("state", [None, np.random.RandomState(0)])
def test_a_checkpoint_of_a_training_that_none_will_be_like_is_refused(tmp_path, state):
    with pytest.raises(ConfigError, match=r"^a checkpoint needs a whole number as random_state, not "):
        model(random_state=state).fit(X, Y, checkpoint=Checkpoint(tmp_path, 2))
    assert not list(tmp_path.iterdir())


def test_a_folder_may_be_text_and_one_that_is_missing_is_refused_before_a_training(tmp_path):
    assert Checkpoint(str(tmp_path), 2) == Checkpoint(tmp_path, 2)
    with pytest.raises(ConfigError, match=r"^folder='.*gone' is none that exists; make it"):
        Checkpoint(tmp_path / "gone", 2)


@pytest.mark.parametrize("every", [0, -1, 2.5])
def test_a_checkpoint_is_written_every_so_many_whole_steps(tmp_path, every):
    with pytest.raises(ConfigError, match=rf"^every={every} must be a whole number of at least 1$"):
        Checkpoint(tmp_path, every)
