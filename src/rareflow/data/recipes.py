"""Recipes of known data sets: their class names, their clocks and the quirks of their published copies.

The classes of the gas pipeline and of CIC-IDS2017 are those of the paper's Tables 1 and 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rareflow.data.columns import with_columns
from rareflow.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RECIPES", "Cleaning", "Recipe", "find_recipe"]


@dataclass(frozen=True)
class Recipe:
    """What is known of a published data set.

    Parameters
    ----------
    name
        The recipe's name, which becomes the table's.
    label
        The label column's name.
    classes
        The paper's classes, and any that only some copies have.
    aliases
        Other spellings of a class, and the kinds that were merged into it. Spellings are compared by their
        letters ``a`` to ``z`` and digits alone, in lower case, without a ``b'...'`` around them.
    clocks
        Columns that make every row unique and yet are features.
    identifiers
        Columns that say who, where or when a row was, or of which class; they are left out.
    categorical
        Columns whose values are categories, where nobody says which are.
    columns
        All columns, of copies that have no header.
    infinities
        What infinite values mean, ``missing`` or ``drop``; empty if the data set has none.
    remarks
        Sentences for the data card, each under the name of the class or column that calls for it.
    """

    name: str
    label: str
    classes: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    clocks: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    infinities: str = ""
    remarks: Mapping[str, str] = field(default_factory=dict)

    def cleaning(self, labels: pd.Series, columns: Iterable[str]) -> Cleaning:
        """Decide how to clean a table: which classes are meant, and which columns are identifiers.

        Parameters
        ----------
        labels
            The labels; once each is enough, a missing one stays missing.
        columns
            The table's columns.

        Raises
        ------
        DataError
            If a label is unknown.
        """
        names = self._class_names(labels)
        renamed = sorted(f"{old} -> {new}" for old, new in names.items() if str(old) != new)
        left_out = tuple(name for name in self.identifiers if name in columns)
        notes = [f"Labels were renamed: {', '.join(renamed)}."] if renamed else []
        if left_out:
            notes.append(f"Identifiers were left out: {', '.join(left_out)}.")
        present = {*names.values(), *columns}
        notes += [remark for name, remark in self.remarks.items() if name in present]
        return Cleaning(str(labels.name), names, left_out, tuple(notes))

    def _class_names(self, labels: pd.Series) -> dict[object, str]:
        """Give the class of each distinct label."""
        known = {_spelling(name): name for name in self.classes}
        known |= {_spelling(alias): name for alias, name in self.aliases.items()}
        found = list(labels.dropna().unique())
        unknown = sorted(str(value) for value in found if _spelling(value) not in known)
        if unknown:
            raise DataError(
                f"column {labels.name!r} holds {unknown[0]!r}, which is no label of --recipe {self.name}; "
                f"it knows {', '.join(self.classes)}: correct the label, or leave --recipe out"
            )
        return {value: known[_spelling(value)] for value in found}


@dataclass(frozen=True)
class Cleaning:
    """What a recipe does to every row of one table.

    Parameters
    ----------
    label
        The label column's name.
    names
        The class of each label.
    left_out
        Columns to leave out.
    notes
        One sentence for each thing done or to be known.
    """

    label: str
    names: Mapping[object, str]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Clean rows; a missing label stays missing."""
        named = with_columns(frame, {self.label: frame[self.label].map(self.names).astype("str")})
        return named.drop(columns=list(self.left_out), errors="ignore")


def _spelling(label: object) -> str:
    r"""Reduce a label to what its copies share: 'Web Attack \x96 XSS', 'Web Attack - XSS'; 0, 0.0, b'0'."""
    text = re.sub(r"^b(['\"])(.*)\1$", r"\2", str(label).strip().lower()).removesuffix(".0")
    return re.sub(r"[^a-z0-9]", "", text)


def find_recipe(name: str) -> Recipe:
    """Give a recipe by its name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; choose --recipe {'|'.join(RECIPES)}, or leave it out")
    return RECIPES[name]


# Morris and Gao (2014). `measurement` holds any 32 bits an attacker wrote, read as a float, and is kept.
_GAS_PIPELINE = Recipe(
    name="gas-pipeline",
    label="result",
    classes=("Normal", "NMRI", "CMRI", "MSCI", "MPCI", "MFCI", "DOS", "Recon"),
    aliases={
        "0": "Normal",
        "1": "NMRI",
        "2": "CMRI",
        "3": "MSCI",
        "4": "MPCI",
        "5": "MFCI",
        "6": "DOS",
        "7": "Recon",
        "NMR": "NMRI",
    },
    clocks=("time",),
    remarks={
        "measurement": "measurement holds whatever 32 bits an attacker wrote, to 1e38: it is kept as it is.",
        "time": "time, the interval since the last packet in s, makes rows unique: tell no duplicates by it.",
    },
)

# Sharafaldin et al. (2018). `Destination Port` goes with the identifiers, although the paper keeps it: each
# attack was aimed at one port, so it names the victim's service, and half of the public samples lack it.
_CIC_IDS_2017 = Recipe(
    name="cic-ids-2017",
    label="Label",
    classes=(
        "BENIGN",
        "DoS",
        "PortScan",
        "DDoS",
        "FTP-Patator",
        "SSH-Patator",
        "BotNet",
        "Web Attack Brute Force",
        "Web Attack XSS",
        "Infiltration",
        "Web Attack Sql Injection",
        "Heartbleed",
        "BruteForce (subtype unknown)",
    ),
    aliases={
        "DoS Hulk": "DoS",
        "DoS GoldenEye": "DoS",
        "DoS slowloris": "DoS",
        "DoS Slowhttptest": "DoS",
        "DoS (subtype unknown)": "DoS",
        "Bot": "BotNet",
    },
    identifiers=(
        "Flow ID",
        "Source IP",
        "Src IP",
        "Source Port",
        "Src Port",
        "Destination IP",
        "Dst IP",
        "Destination Port",
        "Dst Port",
        "Timestamp",
    ),
    infinities="missing",
    remarks={
        "BruteForce (subtype unknown)": "BruteForce (subtype unknown) is no class of the paper: "
        "the copy does not tell FTP-Patator from SSH-Patator.",
        "Flow Bytes/s": "A rate over a flow of zero duration is undefined; the data set has it infinite.",
    },
)

_NSL_KDD_COLUMNS = """\
duration protocol_type service flag src_bytes dst_bytes land wrong_fragment urgent hot num_failed_logins
logged_in num_compromised root_shell su_attempted num_root num_file_creations num_shells num_access_files
num_outbound_cmds is_host_login is_guest_login count srv_count serror_rate srv_serror_rate rerror_rate
srv_rerror_rate same_srv_rate diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count
dst_host_same_srv_rate dst_host_diff_srv_rate dst_host_same_src_port_rate dst_host_srv_diff_host_rate
dst_host_serror_rate dst_host_srv_serror_rate dst_host_rerror_rate dst_host_srv_rerror_rate
label difficulty"""

_NSL_KDD_ATTACKS = {
    "DoS": "back land neptune pod smurf teardrop apache2 mailbomb processtable udpstorm",
    "Probe": "ipsweep nmap portsweep satan mscan saint",
    "R2L": "ftp_write guess_passwd imap multihop phf spy warezclient warezmaster named sendmail "
    "snmpgetattack snmpguess worm xlock xsnoop",
    "U2R": "buffer_overflow loadmodule perl rootkit httptunnel ps sqlattack xterm",
}

# Tavallaee et al. (2009): KDD'99 without its duplicates. The classes of the attacks that the test part alone
# has are those of doi.org/10.1155/2021/9361348, Table 1; udpstorm, which it lacks, is a denial of service.
_NSL_KDD = Recipe(
    name="nsl-kdd",
    label="label",
    classes=("normal", "DoS", "Probe", "R2L", "U2R"),
    aliases={attack: name for name, attacks in _NSL_KDD_ATTACKS.items() for attack in attacks.split()},
    identifiers=("difficulty",),
    categorical=("protocol_type", "service", "flag"),
    columns=tuple(_NSL_KDD_COLUMNS.split()),
    remarks={
        "label": "Attacks stand in their five usual classes; the test part has kinds that training lacks."
    },
)

# Moustafa and Slay (2015); the official training and testing parts. `label` tells attacks from normal rows.
_UNSW_NB15 = Recipe(
    name="unsw-nb15",
    label="attack_cat",
    classes=(
        "Normal",
        "Generic",
        "Exploits",
        "Fuzzers",
        "DoS",
        "Reconnaissance",
        "Analysis",
        "Backdoor",
        "Shellcode",
        "Worms",
    ),
    aliases={"Backdoors": "Backdoor"},
    identifiers=("id", "label", "Label", "srcip", "sport", "dstip", "dsport", "Stime", "Ltime"),
    categorical=("proto", "service", "state"),
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (_GAS_PIPELINE, _CIC_IDS_2017, _NSL_KDD, _UNSW_NB15)
}
