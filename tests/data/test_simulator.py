import sys

import numpy as np
import pandas as pd
import pytest

from rareflow.data.simulator import CLASS_NAMES, simulate_gas_pipeline
from rareflow.errors import ConfigError

NAMES = [
    "command_address",
    "response_address",
    "command_memory",
    "response_memory",
    "command_memory_count",
    "response_memory_count",
    "comm_read_function",
    "comm_write_fun",
    "resp_read_fun",
    "resp_write_fun",
    "sub_function",
    "command_length",
    "resp_length",
    "gain",
    "reset",
    "deadband",
    "cycletime",
    "rate",
    "setpoint",
    "control_mode",
    "control_scheme",
    "pump",
    "solenoid",
    "crc_rate",
    "measurement",
    "time",
]
CONSTANTS = ["comm_write_fun", "command_length", "gain", "reset", "deadband", "cycletime", "rate", "crc_rate"]
# The paper's Table 2, in per cent.
TABLE_2 = {
    "Normal": 63.0351,
    "CMRI": 15.9412,
    "MPCI": 7.8717,
    "Recon": 7.0141,
    "NMRI": 2.8479,
    "DOS": 1.8934,
    "MSCI": 0.8060,
    "MFCI": 0.5906,
}


@pytest.fixture(scope="module")
def log():
    return simulate_gas_pipeline(10_000, seed=0)


def of(log, *classes):
    return log[log["result"].isin(classes)]


def test_the_columns_have_the_published_names_order_and_dtypes(log):
    assert list(log.columns) == [*NAMES, "result"]
    floats = {"reset", "deadband", "measurement", "time"}
    for name in NAMES:
        assert log[name].dtype == (np.float64 if name in floats else np.int16)
    assert isinstance(log["result"].dtype, pd.StringDtype)
    assert set(log["result"]) == set(CLASS_NAMES) == set(TABLE_2)


def test_the_classes_have_the_shares_of_table_2(log):
    shares = log["result"].value_counts(normalize=True) * 100
    for name, share in TABLE_2.items():
        assert shares[name] == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("rows", [*range(200, 300), 333, 500, 1_234, 20_001])
def test_any_row_count_is_met_exactly_and_holds_every_class_in_two_bursts(rows):
    log = simulate_gas_pipeline(rows)
    assert len(log) == rows
    bursts = pd.Series(np.arange(rows) // 10).groupby(log["result"]).nunique()
    assert set(bursts.index) == set(CLASS_NAMES)
    assert bursts.min() >= 2
    for name, share in TABLE_2.items():
        assert abs((log["result"] == name).sum() - share / 100 * rows) <= 8


def test_equal_seeds_give_equal_logs_and_other_seeds_other_ones(log):
    pd.testing.assert_frame_equal(log, simulate_gas_pipeline(10_000, seed=0))
    assert not log.equals(simulate_gas_pipeline(10_000, seed=1))


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    simulate_gas_pipeline(200)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_eight_columns_are_constant_and_no_other_is(log):
    assert [name for name in NAMES if len(set(log[name])) == 1] == CONSTANTS


def test_most_rows_are_duplicates_but_for_the_clock(log):
    assert 0.6 < log.drop(columns=["time", "result"]).duplicated().mean() < 0.95


def test_some_equal_rows_carry_two_labels(log):
    labels = log.groupby([name for name in NAMES if name != "time"])["result"].nunique()
    assert (labels > 1).sum() >= 10


def test_the_clock_ticks_between_1_and_1_3_seconds(log):
    assert log["time"].between(1.0, 1.3).all()


def test_no_pressure_outside_attacks_leaves_the_physical_range(log):
    assert of(log, "Normal", "MSCI", "MPCI", "MFCI", "DOS", "CMRI")["measurement"].between(0, 32).all()


def test_naive_injection_writes_astronomic_negative_and_denormal_pressures(log):
    forged = of(log, "NMRI")["measurement"]
    assert forged.abs().max() > 1e36
    assert (forged < 0).mean() > 0.3
    assert ((forged > 0) & (forged < np.finfo(np.float32).tiny)).any()
    assert forged.between(0, 32).any()
    assert np.isfinite(forged.astype(np.float32)).all()


def test_no_bit_of_a_forged_pressure_tells_that_it_is_forged(log):
    known = set(of(log, "Normal")["measurement"])
    forged = of(log, "NMRI")["measurement"]
    assert forged[forged.between(1, 20)].isin(known).mean() > 0.5


def test_complex_injection_holds_one_pressure_through_a_burst(log):
    forged = of(log, "CMRI")
    pressures = forged.groupby(forged.index // 10)["measurement"]
    assert (pressures.min() == pressures.max()).all()
    assert (forged["control_mode"] == 2).all()


def test_parameter_injection_changes_the_setpoint_within_and_beyond_the_legal_range(log):
    legal = set(of(log, "Normal", "CMRI")["setpoint"])
    forged = set(of(log, "MPCI")["setpoint"])
    assert forged & legal
    assert max(forged) > 32


def test_reconnaissance_is_answered_without_registers(log):
    answered = of(log, "Recon")
    assert (answered[["response_address", "response_memory", "response_memory_count"]] == 0).all(axis=None)
    assert (of(log, *set(CLASS_NAMES) - {"Recon"})["response_address"] != 0).all()


def test_floods_go_to_other_addresses_or_carry_bad_functions(log):
    assert of(log, "DOS")["command_address"].nunique() > 20
    assert of(log, "DOS")["comm_read_function"].nunique() > 10
    assert (of(log, "Normal")["command_address"] == 7).all()


def test_function_code_injection_and_rare_maintenance_send_sub_functions(log):
    assert (of(log, "MFCI")["sub_function"] > 0).mean() > 0.5
    assert 0 < (of(log, "Normal")["sub_function"] > 0).mean() < 0.005


def test_automatic_control_holds_the_setpoint(log):
    regime = log[["control_mode", "setpoint"]].ne(log[["control_mode", "setpoint"]].shift()).any(axis=1)
    since = log.groupby(regime.cumsum()).cumcount()
    settled = (
        (since > 40) & (log["control_mode"] == 2) & (log["result"] == "Normal") & (log["measurement"] > 1)
    )
    assert settled.sum() > 100
    error = (log["measurement"] - log["setpoint"])[settled].abs()
    assert error.quantile(0.9) < 2


def test_a_system_that_is_off_vents(log):
    off = of(log, "Normal")
    off = off[off["control_mode"] == 0]
    assert off["measurement"].median() < 0.5
    assert not off[["pump", "solenoid"]].any(axis=None)


def test_the_loop_takes_a_fixed_number_of_calls_a_record():
    def calls(rows):
        count = 0

        def tally(*_):
            nonlocal count
            count += 1

        sys.setprofile(tally)
        try:
            simulate_gas_pipeline(rows)
        finally:
            sys.setprofile(None)
        return count

    assert calls(40_000) < 2.3 * calls(20_000)


@pytest.mark.parametrize("name", ["rows", "seed"])
@pytest.mark.parametrize("value", [-1, 500.5, "500", True])
def test_rows_and_seed_are_whole_numbers(name, value):
    with pytest.raises(ConfigError, match=rf"^{name}={value!r} must be a whole number of at least 0$"):
        simulate_gas_pipeline(**{name: value})


@pytest.mark.parametrize("rows", [0, 199])
def test_too_few_rows_are_refused_with_the_least_number(rows):
    with pytest.raises(ConfigError) as caught:
        simulate_gas_pipeline(rows)
    assert str(caught.value) == (
        f"the simulated pipeline needs at least 200 rows to hold every attack, not {rows}"
    )
