import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rareflow.data.names import joined_names, shell_names, split_names
from rareflow.errors import ConfigError

NAMES = st.text(min_size=1).map(str.strip).filter(lambda name: name and "\0" not in name)


@given(st.lists(NAMES))
def test_names_that_were_joined_split_into_themselves_and_a_shell_passes_them_on(names):
    assert split_names(joined_names(names)) == tuple(names)
    assert shlex.split(shell_names(names)) == [joined_names(names)]


def test_names_without_a_comma_need_no_quotes_and_white_space_between_them_is_no_part_of_them():
    assert joined_names(["a", "my b", "c"]) == "a,my b,c"
    assert split_names(" a, my b ,,c\nd,") == ("a", "my b", "c\nd")
    assert split_names(' "bytes,in" , 5" pipe') == ("bytes,in", '5" pipe')
    assert split_names("") == ()


def test_names_that_cannot_be_told_apart_are_refused_with_how_to_write_them():
    with pytest.raises(ConfigError) as caught:
        split_names('a\nb,"c,d"')
    assert str(caught.value).startswith("""the names 'a\\nb,"c,d"' cannot be told apart; write each in""")
    assert str(caught.value).endswith("""as in '"bytes,in","other"'""")
