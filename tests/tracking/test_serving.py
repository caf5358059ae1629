"""Laws of the file that MLflow runs when it loads a registered generator."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from rareflow.generators import portable
from rareflow.tracking import registry

SERVING = Path(registry.__file__).with_name("serving.py")


def test_run_by_itself_it_hands_a_model_to_mlflow_and_needs_no_rareflow(tmp_path, generator):
    folder = generator.save(tmp_path / "generator")
    lone = shutil.copy(SERVING, tmp_path)
    shutil.copytree(Path(portable.__file__).parent, tmp_path / "artifacts/portable")
    program = f"""
import importlib.util, sys
sys.modules["rareflow"] = sys.modules["torch"] = None  # an import of it would fail
spec = importlib.util.spec_from_file_location("code_model", {lone!r})
sys.modules["code_model"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
import mlflow.models.model, mlflow.pyfunc, pandas as pd, types
model = mlflow.models.model.__mlflow_model__
assert isinstance(model, mlflow.pyfunc.PythonModel), model
model.load_context(types.SimpleNamespace(artifacts={{"generator": {str(folder)!r}}}, model_config=None))
wanted = pd.DataFrame({{"label": ["NMRI", "MSCI"], "count": [5, 2]}})
table = model.predict(None, wanted, {{"seed": 7, "temperature": 1.0}})
assert table.equals(model.predict(None, wanted, {{"seed": 7}}))
assert len(model.predict(None, wanted)) == 7
frames = list(model.generator.batches(wanted, seed=7))
assert table.equals(pd.concat(frames, ignore_index=True))
table.to_json({str(tmp_path / "table.json")!r})
print([name for name in sys.modules if name.split(".")[0] == "rareflow"])
"""
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['rareflow']"
    wanted = pd.DataFrame({"label": ["NMRI", "MSCI"], "count": [5, 2]})
    expected = tmp_path / "expected.json"
    portable.PortableGenerator.load(folder).table(wanted, seed=7).to_json(expected)
    assert expected.read_text() == (tmp_path / "table.json").read_text()
