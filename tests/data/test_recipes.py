import numpy as np
import pandas as pd
import pytest

from rareflow.data.load import load_table
from rareflow.data.recipes import RECIPES, find_recipe
from rareflow.errors import ConfigError, DataError
from tests.data.reading import read_frame

GAS = RECIPES["gas-pipeline"]
CIC = RECIPES["cic-ids-2017"]
GAS_NAMES = ["Normal", "NMRI", "CMRI", "MSCI", "MPCI", "MFCI", "DOS", "Recon"]


def clean(recipe, labels, **columns):
    return cleaned(recipe, pd.DataFrame({**columns, recipe.label: labels}))


def cleaned(recipe, frame):
    cleaning = recipe.cleaning(frame[recipe.label], frame.columns)
    return cleaning(frame), cleaning.notes


def test_an_unknown_recipe_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        find_recipe("cic")
    known = "gas-pipeline|cic-ids-2017|nsl-kdd|unsw-nb15"
    assert str(caught.value) == f"unknown recipe 'cic'; choose --recipe {known}, or leave it out"


@pytest.mark.parametrize(
    "labels",
    [
        range(8),
        np.arange(8.0),
        [str(i) for i in range(8)],
        [f"b'{i}'" for i in range(8)],
        [f"'{i}'" for i in range(8)],
        [str(i).encode() for i in range(8)],
        pd.Categorical([str(i) for i in range(8)]),
        GAS_NAMES,
        [" normal", "NMR", "cmri ", "MSCI", "MPCI", "MFCI", "DoS", "recon"],
    ],
    ids=["int", "float", "text", "bytes-text", "quoted", "bytes", "nominal", "names", "spellings"],
)
def test_every_published_form_of_the_gas_labels_gets_the_papers_names(labels):
    frame, _ = clean(GAS, labels, time=np.arange(8.0))
    assert frame["result"].tolist() == GAS_NAMES
    assert frame["result"].dtype == "str"


def test_the_gas_arff_and_csv_copies_load_as_one_table(tmp_path):
    header = "@relation gas\n@attribute 'measurement' real\n@attribute 'time'  real\n"
    rows = [(2.3e38, 1.5, 0), (1e-310, 1.25, 3), (0.5, 1.0, 0), (0.5, 1.0, 3)]
    arff = "".join(f"{m!r},{t},'{r}'\n" for m, t, r in rows)
    (tmp_path / "gas.arff").write_text(f"{header}@attribute 'result' {{'0', '3'}}\n@data\n{arff}")
    (tmp_path / "gas.csv").write_text(
        "measurement,time,result\n" + "".join(f"{m!r},{t},b'{r}'\n" for m, t, r in rows)
    )
    first, second = (
        load_table(str(tmp_path / f"gas.{end}"), recipe="gas-pipeline") for end in ("arff", "csv")
    )
    assert first.digest == second.digest
    assert first.name == "gas-pipeline"
    assert first.class_counts == {"MSCI": 2, "Normal": 2}
    assert first.schema.clocks == ("time",)
    assert first.frame["measurement"].tolist() == [row[0] for row in rows]


def test_a_gas_table_loads_without_measurement_and_time(tmp_path):
    pd.DataFrame({"pump": [0, 1, 1, 0], "result": [0, 0, 1, 1]}).to_parquet(tmp_path / "gas.parquet")
    table = load_table(str(tmp_path / "gas.parquet"), recipe="gas-pipeline")
    assert table.schema.names == ["pump"]
    assert table.schema.clocks == ()
    assert table.notes == ("Labels were renamed: 0 -> Normal, 1 -> NMRI.",)


@pytest.mark.parametrize(
    "dash", [b"\x96", "\N{EN DASH}".encode(), "\N{REPLACEMENT CHARACTER}".encode(), b"-", b""]
)
def test_every_published_dash_of_the_web_attacks_gets_the_papers_names(tmp_path, dash):
    kinds = (b"Brute Force", b"XSS", b"Sql Injection")
    rows = b"".join(b"%d,Web Attack %b %b\n" % (i, dash, kind) for i, kind in enumerate(kinds))
    path = tmp_path / "thursday.csv"
    path.write_bytes(b" Flow Duration, Label\n" + rows)
    frame, _ = cleaned(CIC, read_frame(str(path)))
    assert frame["Label"].tolist() == ["Web Attack Brute Force", "Web Attack XSS", "Web Attack Sql Injection"]


def test_the_dos_kinds_merge_and_bot_is_named_as_in_the_paper():
    kinds = ["DoS Hulk", "DoS GoldenEye", "DoS slowloris", "DoS Slowhttptest", "DoS (subtype unknown)"]
    frame, notes = clean(CIC, [*kinds, "Bot", "DDoS"])
    assert frame["Label"].tolist() == ["DoS"] * 5 + ["BotNet", "DDoS"]
    assert "Bot -> BotNet, DoS (subtype unknown) -> DoS" in notes[0]
    assert "DDoS ->" not in notes[0]


def test_the_papers_twelve_class_names_stay_as_they_are():
    names = list(CIC.classes[:12])
    frame, notes = clean(CIC, names)
    assert frame["Label"].tolist() == names
    assert len(set(names)) == 12
    assert notes == ()


def test_an_unknown_brute_force_keeps_its_name_with_a_note():
    frame, notes = clean(CIC, ["BruteForce (subtype unknown)", "BENIGN"])
    assert frame["Label"][0] == "BruteForce (subtype unknown)"
    assert "no class of the paper" in notes[0]


def test_an_unknown_label_is_refused_with_the_known_ones():
    with pytest.raises(DataError) as caught:
        clean(GAS, ["0", "8"])
    assert str(caught.value) == (
        "column 'result' holds '8', which is no label of --recipe gas-pipeline; it knows Normal, NMRI, CMRI, "
        "MSCI, MPCI, MFCI, DOS, Recon: correct the label, or leave --recipe out"
    )


def test_identifiers_are_left_out_with_a_note_and_protocol_stays():
    columns = {"Flow ID": ["f"], "Source IP": ["1.2.3.4"], "Protocol": [6], "Destination Port": [80]}
    frame, notes = clean(CIC, ["BENIGN"], **columns, Timestamp=["7/7/2017 3:30"])
    assert list(frame) == ["Protocol", "Label"]
    assert notes == ("Identifiers were left out: Flow ID, Source IP, Destination Port, Timestamp.",)


def test_a_missing_label_stays_missing_and_the_frame_given_stays_as_it_was():
    frame = pd.DataFrame({"result": [0.0, np.nan], "time": [1.0, 2.0]})
    before = frame.copy()
    assert cleaned(GAS, frame)[0]["result"].isna().tolist() == [False, True]
    pd.testing.assert_frame_equal(frame, before)


def test_a_raw_cic_day_with_every_quirk_loads(tmp_path):
    header = " Destination Port, Flow Duration,Flow Bytes/s, Flow Packets/s"
    header += ", Fwd Header Length, Fwd Header Length, Label"
    rows = ["80,0,Infinity,Infinity,32,32,BENIGN", "80,5,NaN,2.5,32,32,BENIGN"]
    rows += [
        "80,7,1.5,2.5,20,20,Web Attack \x96 XSS",
        "80,9,1.5,2.5,20,20,Web Attack \x96 XSS",
        ",,,,,,",
        ",,,,,,",
    ]
    (tmp_path / "day.csv").write_bytes("\n".join([header, *rows]).encode("latin-1"))
    table = load_table(str(tmp_path / "day.csv"), recipe="cic-ids-2017")
    assert table.class_counts == {"BENIGN": 2, "Web Attack XSS": 2}
    assert table.schema.names[-1] == "Fwd Header Length.1"
    assert "Destination Port" not in table.schema.names
    assert table.frame["Flow Bytes/s"].isna().tolist() == [True, True, False, False]
    assert (
        "Infinite values became missing: 'Flow Bytes/s' (1 rows), 'Flow Packets/s' (1 rows)." in table.notes
    )
    assert any("zero duration is undefined" in note for note in table.notes)
    assert "day.csv holds 2 blank rows; they were dropped." in table.notes


def nsl_kdd(path, *attacks):
    """Write rows as the published files have them: no header, the attack before last, then its difficulty."""
    lines = [
        f"{i},tcp,{'http' if i % 2 else 'smtp'},SF," + f"{i},0.5," * 18 + "0," + f"{attack},{i}"
        for i, attack in enumerate(attacks)
    ]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_the_official_parts_of_nsl_kdd_load_as_they_are_published(tmp_path):
    train = nsl_kdd(tmp_path / "KDDTrain+.txt", "normal", "neptune", "rootkit", "normal", "back", "perl")
    test = nsl_kdd(tmp_path / "KDDTest+.txt", "normal", "mailbomb", "httptunnel", "mscan", "worm")
    table = load_table(train, recipe="nsl-kdd")
    assert table.class_counts == {"DoS": 2, "U2R": 2, "normal": 2}
    assert len(table.schema.columns) == 41
    assert [name for name in table.X if isinstance(table.X[name].dtype, pd.CategoricalDtype)] == [
        "protocol_type",
        "service",
        "flag",
    ]
    assert "Identifiers were left out: difficulty." in table.notes
    table = load_table(test, recipe="nsl-kdd", rare_classes="keep")
    assert table.labels.tolist() == ["normal", "DoS", "U2R", "Probe", "R2L"]


def test_an_official_part_of_unsw_nb15_loads_without_the_columns_that_give_the_class_away(tmp_path):
    rows = ["1,0.1,tcp,-,FIN,Normal,0", "2,0.2,udp,dns,INT, Fuzzers ,1", "3,0.3,tcp,-,FIN,Backdoors,1"]
    rows += ["4,0.4,tcp,-,FIN,Normal,0", "5,0.2,udp,dns,INT,Fuzzers,1", "6,0.3,tcp,http,CON,Backdoor,1"]
    path = tmp_path / "UNSW_NB15_training-set.csv"
    path.write_text("\n".join(["\ufeffid,dur,proto,service,state,attack_cat,label", *rows]), encoding="utf-8")
    table = load_table(str(path), recipe="unsw-nb15")
    assert table.class_counts == {"Backdoor": 2, "Fuzzers": 2, "Normal": 2}
    assert list(table.X) == ["dur", "proto", "service", "state"]
    assert (
        load_table(str(path), recipe="unsw-nb15", categorical=["dur", "proto", "service", "state"])
        .X["dur"]
        .dtype
        == "category"
    )
