from rareflow.markdown import grid


def test_a_table_has_text_on_the_left_and_figures_on_the_right():
    assert grid(["a", "b"], [["x", 1]]) == "| a | b |\n|---|---:|\n| x | 1 |"
    assert grid(["a", "b"], [], text=2) == "| a | b |\n|---|---|"
