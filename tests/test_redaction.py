import traceback

import pytest

from rareflow.redaction import ADDRESS_FORM, redacted

pytestmark = pytest.mark.fault


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no answer of https://bob:s3cret@host:5000/p, sorry", "no answer of https://***@host:5000/p, sorry"),
        (
            "'postgresql://bob:p@ss/w@host/db?password=s3cret' is down",
            "'postgresql://***@host/db?***' is down",
        ),
        (
            "API request to http://token@host/api?key=s3cret failed",
            "API request to http://***@host/api?*** failed",
        ),
        ("'http://bob:it's@host/p?k=it's' is down", "'http://***@host/p?***' is down"),
        ("(https://host/?token=a'b)", "(https://host/?***)"),
        ("two: a://u:p@h b://u:p@h", "two: a://***@h b://***@h"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        (f"write it as {ADDRESS_FORM}", f"write it as {ADDRESS_FORM}"),
        ("a://user:password@host:port/name@h, b", "a://***@h, b"),
        ("mail bob@host about http://host/x", "mail bob@host about http://host/x"),
    ],
)
def test_an_address_in_a_text_loses_user_password_and_query_and_the_rest_stays(text, shown):
    assert redacted(text) == shown
    assert redacted(shown) == shown


def test_a_traceback_loses_them_too():
    with pytest.raises(ZeroDivisionError) as caught:
        print("https://bob:s3cret@host/?token=s3cret", 1 / 0)  # a line of source with a secret
    shown = "".join(traceback.format_exception(caught.value))
    assert "s3cret" in shown
    assert "s3cret" not in redacted(shown)
