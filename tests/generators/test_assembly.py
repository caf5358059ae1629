from tests.generators.tables import mixed, untrained

X, Y = mixed()


def test_every_column_is_told_its_group():
    table = X[["pressure", "version"]].assign(depth=-(X["pressure"] ** 3), deep=X["pressure"] > 10)
    groups = {entry["name"]: entry["group"] for entry in untrained(table, Y)[0].spec["columns"]}
    assert groups["pressure"] == groups["depth"] == groups["deep"] != groups["version"]
    assert set(groups.values()) == {0, 1}
