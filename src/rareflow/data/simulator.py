"""A simulated gas pipeline: a Modbus RTU polling loop over a PID-controlled pressure loop, under attack.

Every row is invented by this module; none is measured. The columns, the classes and their shares are those
of the gas pipeline set of Morris and Gao, *Industrial control system traffic data sets for intrusion
detection research*, Critical Infrastructure Protection VIII, 2014. Coefficients, addresses and register
counts are our own: behaviour of the same kind, not fitted to that set, and somewhat harder to classify.

**Plant.** Pressure p (psi) follows first-order dynamics, one step for each polling cycle::

    p += PUMP (1 - p / P_MAX) pump - RELIEF p solenoid - loss (p - P_IDLE) + noise

where `loss` is a small leak, and a fast venting while the system is off. The transmitter reports p with noise
of its own, in steps of 1/20 psi. Eight columns never change, as in the published sample: the write function,
the command's length, the CRC errors, and the controller's gain (80 %), reset (0.3 a cycle), deadband
(0.4 psi), cycle time (1 s) and rate (0: no derivative action).

**Control.** Mode 0 is off, 1 manual, 2 automatic. In automatic mode a PI controller drives p to the setpoint:
scheme 0 switches the pump, scheme 1 keeps the pump running and switches the solenoid relief valve. In manual
mode an operator starts the pump below a low mark and opens the valve above a high one. Regimes (mode, scheme,
setpoint) last for eighty records on average.

**Protocol.** One record is one polling cycle: the master writes ten registers of the controller (function
16) and reads nine back (function 3; in some regimes another poller, which reads with function 1). Lengths are
those of the Modbus RTU frames. `time` is the interval since the last packet, 1.0 to 1.3 s.

**Attacks** come in bursts of ten records, among which ordinary ones remain.

NMRI
    naive malicious response injection: the pressure of a response is replaced by whatever 32 bits the
    attacker wrote: any float up to 1e38, denormal, negative, or by luck a pressure that could be true.
CMRI
    complex malicious response injection: a calm state that hides the real one, its pressure held at a
    calibrated value, sometimes the one that automatic control would hold.
MSCI
    malicious state command injection: mode, pump and solenoid are commanded against the process; the
    plant obeys. Some of these commands an operator gives as well.
MPCI
    malicious parameter command injection: another setpoint is written, out of the legal range or within it.
    The controller obeys, and now and then keeps it into a record that is no attack. The PID parameters, which
    such an attack could change as well, stay as they are, as in the published sample.
MFCI
    malicious function code injection: a diagnostic sub-function (restart, listen only) or an invalid code.
    Maintenance uses those sub-functions too, rarely.
DOS
    denial of service: floods of frames to other addresses, with bad functions or bad registers. The CRC
    column stays silent; of some floods nothing is to be seen in the record but its label.
Recon
    reconnaissance: the device is asked to identify itself; the reply is long and holds no registers. The
    poller's next pressure may hold what is left in the buffer, read as a denormal float.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rareflow.errors import ConfigError, check_whole

__all__ = ["CLASS_NAMES", "simulate_gas_pipeline"]

_Columns = dict[str, NDArray[np.float64]]
_Mask = NDArray[np.bool_]

# Share of all records (the paper's Table 2), and attack records in a burst of ten.
_ATTACKS: Final = {
    "NMRI": (0.0285, 3),
    "CMRI": (0.1594, 9),
    "MSCI": (0.0081, 3),
    "MPCI": (0.0787, 8),
    "MFCI": (0.0059, 2),
    "DOS": (0.0189, 3),
    "Recon": (0.0701, 6),
}
CLASS_NAMES: Final = ("Normal", *_ATTACKS)

# What an undisturbed record holds, in the published set's column order.
_DEFAULTS: Final = {
    "command_address": 7.0,
    "response_address": 7.0,
    "command_memory": 16.0,
    "response_memory": 64.0,
    "command_memory_count": 10.0,
    "response_memory_count": 9.0,
    "comm_read_function": 3.0,
    "comm_write_fun": 16.0,
    "resp_read_fun": 3.0,
    "resp_write_fun": 16.0,
    "sub_function": 0.0,
    "command_length": 29.0,
    "resp_length": 23.0,
    "gain": 80.0,
    "reset": 0.3,
    "deadband": 0.4,
    "cycletime": 1.0,
    "rate": 0.0,
    "setpoint": 18.0,
    "control_mode": 0.0,
    "control_scheme": 1.0,
    "pump": 0.0,
    "solenoid": 0.0,
    "crc_rate": 0.0,
    "measurement": 0.0,
    "time": 0.0,
}
_FLOATS: Final = ("reset", "deadband", "measurement", "time")

_BURST = 10
_LEAST_BURSTS = 2
_LEAST_ROWS = 200

_OFF, _MANUAL, _AUTOMATIC = 0.0, 1.0, 2.0
_P_IDLE, _P_MAX = 0.25, 32.0
_PUMP, _RELIEF, _LEAK, _VENT = 1.2, 0.04, 0.004, 0.25
_PROCESS_NOISE, _SENSOR_NOISE, _SENSOR_STEP = 0.02, 0.02, 1 / 20
_LOW_MARK, _HIGH_MARK = 12.0, 22.0
_INTEGRAL_LIMIT = 2.0


def simulate_gas_pipeline(rows: int = 10_000, *, seed: int = 0) -> pd.DataFrame:
    """Simulate the log of a gas pipeline under seven kinds of attack.

    Parameters
    ----------
    rows
        Number of records, at least 200.
    seed
        Equal seeds give equal logs.

    Returns
    -------
    pandas.DataFrame
        Shape ``(rows, 27)``: 26 features named, ordered and typed (int16, float64) as in the published set,
        then ``result``, the class name. Pressures are in psi, times in seconds.

    Raises
    ------
    ConfigError
        If there are too few rows for two bursts of every attack, or `rows` or `seed` is no whole number.
    """
    check_whole("rows", rows, least=0)
    check_whole("seed", seed, least=0)
    if rows < _LEAST_ROWS:
        raise ConfigError(
            f"the simulated pipeline needs at least {_LEAST_ROWS} rows to hold every attack, not {rows}"
        )
    rng = np.random.default_rng(seed)
    label, burst = _schedule(rows, rng)
    attacks = {name: label == code for code, name in enumerate(CLASS_NAMES) if code}
    bursts = {name: burst == code for code, name in enumerate(CLASS_NAMES) if code}
    log = {name: np.full(rows, value) for name, value in _DEFAULTS.items()}
    log["time"] = rng.uniform(1.0, 1.3, rows)
    _operate(log, rng)
    valves = _inject_commands(log, attacks, bursts, rng)
    _run_plant(log, valves, rng)
    _inject_responses(log, attacks, bursts, rng)
    _inject_frames(log, attacks, rng)
    frame = pd.DataFrame({name: log[name] if name in _FLOATS else log[name].astype(np.int16) for name in log})
    return frame.assign(result=np.array(CLASS_NAMES, dtype=object)[label])


def _schedule(rows: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw the class of each record and the attack in whose burst it lies (0: in none)."""
    count = rows // _BURST
    kind = np.zeros(count, dtype=np.intp)
    hits = np.zeros(count, dtype=np.intp)
    free = rng.permutation(count)
    for code, (share, density) in enumerate(_ATTACKS.values(), start=1):
        records = max(_LEAST_BURSTS, round(share * rows))
        mine, free = np.split(free, [max(_LEAST_BURSTS, -(-records // density))])
        kind[mine] = code
        hits[mine] = records // len(mine) + (np.arange(len(mine)) < records % len(mine))
    place = rng.random((count, _BURST)).argsort(axis=1)
    label, burst = np.zeros((2, rows), dtype=np.intp)
    label[: count * _BURST] = np.where(place < hits[:, None], kind[:, None], 0).ravel()
    burst[: count * _BURST] = np.repeat(kind, _BURST)
    return label, burst


def _operate(log: _Columns, rng: np.random.Generator) -> None:
    """Let the operators choose mode, scheme, setpoint and poller, regime by regime."""
    rows = len(log["time"])
    regime = np.cumsum(_chance(rows, 1 / 80, rng))
    count = int(regime[-1]) + 1
    log["control_mode"] = rng.choice([_OFF, _MANUAL, _AUTOMATIC], count, p=[0.55, 0.05, 0.4])[regime]
    log["control_scheme"] = rng.choice([0.0, 1.0], count, p=[0.1, 0.9])[regime]
    log["setpoint"] = rng.choice([12.0, 15.0, 18.0, 21.0], count, p=[0.01, 0.02, 0.95, 0.02])[regime]
    log["resp_read_fun"] = rng.choice([1.0, 3.0], count, p=[0.2, 0.8])[regime]


def _inject_commands(
    log: _Columns, attacks: dict[str, _Mask], bursts: dict[str, _Mask], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Overwrite mode and setpoint in MSCI and MPCI records; give the valves that MSCI forces.

    Returns
    -------
    numpy.ndarray
        For each record 0 to 3 (pump, plus twice the solenoid), or -1 where nothing is forced.
    """
    rows = len(log["time"])
    valves = np.full(rows, -1)
    states = attacks["MSCI"]
    count = int(states.sum())
    log["control_mode"][states] = rng.choice([_OFF, _MANUAL, _AUTOMATIC], count, p=[0.1, 0.7, 0.2])
    log["control_scheme"][states] = rng.choice([0.0, 1.0], count, p=[0.6, 0.4])
    valves[states] = rng.choice(4, count, p=[0.4, 0.2, 0.3, 0.1])
    # A burst writes one setpoint; a record between two of its attacks may still show it.
    foreign = rng.choice([12.0, 21.0, 24.0, 27.0, 36.0, 45.0, 60.0, 75.0, 99.0], rows // _BURST + 1)
    shown = attacks["MPCI"] | (bursts["MPCI"] & _chance(rows, 0.05, rng))
    log["setpoint"][shown] = np.repeat(foreign, _BURST)[:rows][shown]
    return valves


def _run_plant(log: _Columns, valves: NDArray[np.intp], rng: np.random.Generator) -> None:
    """Step controller and plant through all records; fill in pump, solenoid and measurement."""
    rows = len(valves)
    noise = rng.normal(0.0, _PROCESS_NOISE, rows)
    commands = (log[name].tolist() for name in ("control_mode", "control_scheme", "setpoint"))
    gain, reset, deadband = (_DEFAULTS["gain"] / 100, _DEFAULTS["reset"], _DEFAULTS["deadband"])
    pressure, integral, pump, solenoid = _P_IDLE, 0.0, 0, 0
    states = []
    for mode, scheme, setpoint, valve, shock in zip(*commands, valves.tolist(), noise.tolist(), strict=True):
        if valve >= 0:
            pump, solenoid = valve & 1, valve >> 1
        elif mode == _OFF:
            pump, solenoid, integral = 0, 0, 0.0
        elif mode == _MANUAL:
            pump, solenoid = int(pressure < _LOW_MARK), int(pressure > _HIGH_MARK)
        else:
            error = setpoint - pressure
            integral = min(max(integral + reset * error, -_INTEGRAL_LIMIT), _INTEGRAL_LIMIT)
            if abs(error) > deadband:
                demand = gain * error + integral
                pump, solenoid = (int(demand > 0), 0) if scheme == 0 else (1, int(demand < 0))
        states.append((pressure, pump, solenoid))
        pressure += (
            _PUMP * (1 - pressure / _P_MAX) * pump
            - _RELIEF * pressure * solenoid
            - (_VENT if mode == _OFF else _LEAK) * (pressure - _P_IDLE)
            + shock
        )
    truth, log["pump"], log["solenoid"] = np.array(states).T
    reading = np.rint((truth + rng.normal(0.0, _SENSOR_NOISE, rows)) / _SENSOR_STEP) * _SENSOR_STEP
    log["measurement"] = np.clip(reading, 0.0, _P_MAX)


def _inject_responses(
    log: _Columns, attacks: dict[str, _Mask], bursts: dict[str, _Mask], rng: np.random.Generator
) -> None:
    """Replace what the slave answered in NMRI, CMRI and Recon records."""
    rows = len(log["time"])
    log["measurement"][attacks["NMRI"]] = _naive_pressures(int(attacks["NMRI"].sum()), rng)

    calibrated = np.rint(rng.uniform(5.0, 20.0, rows // _BURST + 1) * 16) / 16
    hidden = attacks["CMRI"]
    calm = {"resp_read_fun": 1, "control_mode": _AUTOMATIC, "control_scheme": 1, "pump": 1, "solenoid": 0}
    for name, value in calm.items():
        log[name][hidden] = value
    log["measurement"][hidden] = np.repeat(calibrated, _BURST)[:rows][hidden]

    asked = attacks["Recon"]
    for name in ("response_address", "response_memory", "response_memory_count", "resp_write_fun"):
        log[name][asked] = 0
    log["resp_length"][asked] = 97
    log["time"][asked] = rng.uniform(1.0, 1.01, int(asked.sum()))
    leftover = asked | (bursts["Recon"] & _chance(rows, 0.5, rng))
    log["measurement"][leftover] = _denormals(int(leftover.sum()), rng)
    log["measurement"][asked & _chance(rows, 0.95, rng)] = 0.0


def _naive_pressures(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw what a naive attacker writes for a pressure."""
    exponent = rng.uniform(0.0, 38.0, count)
    garbage = (rng.choice([-1.0, 1.0], count, p=[0.8, 0.2]) * 10.0**exponent).astype(np.float32)
    negative = -rng.uniform(0.0, 60.0, count).astype(np.float32)
    plausible = np.rint(rng.uniform(0.0, 30.0, count) / _SENSOR_STEP) * _SENSOR_STEP
    kind = rng.choice(4, count, p=[0.55, 0.1, 0.1, 0.25])
    return np.choose(kind, [garbage, negative, _denormals(count, rng), plausible])


def _denormals(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw floats of a few low bits, as in a register pair whose upper half is empty."""
    bits = 2 ** rng.integers(0, 17, count, dtype=np.uint32)
    return bits.view(np.float32).astype(np.float64)


def _inject_frames(log: _Columns, attacks: dict[str, _Mask], rng: np.random.Generator) -> None:
    """Spoil frames: MFCI and DOS records, and the diagnostics that maintenance sends."""
    rows = len(log["time"])
    wicked = attacks["MFCI"]
    count = int(wicked.sum())
    log["sub_function"][wicked] = rng.choice([0, 1, 4], count, p=[0.25, 0.4, 0.35])
    odd = wicked & (log["sub_function"] == 0) & _chance(rows, 0.6, rng)
    log["comm_read_function"][odd] = rng.integers(15, 60, int(odd.sum()))
    ordinary = ~np.logical_or.reduce(list(attacks.values()))
    log["sub_function"][ordinary & _chance(rows, 0.0008, rng)] = 1

    flood = np.flatnonzero(attacks["DOS"])
    how = rng.choice(4, len(flood), p=[0.5, 0.3, 0.12, 0.08])
    address, function, memory = (flood[how == kind] for kind in range(3))
    log["command_address"][address] = rng.integers(1, 248, len(address))
    log["comm_read_function"][function] = rng.integers(0, 20, len(function))
    log["command_memory"][memory] = rng.integers(0, 256, len(memory))
    log["command_memory_count"][memory] = 1


def _chance(rows: int, share: float, rng: np.random.Generator) -> _Mask:
    """Draw for each record whether a thing of this probability happens."""
    return rng.random(rows) < share
