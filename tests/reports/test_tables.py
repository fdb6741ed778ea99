"""Tables keep their numbers and lose their teeth."""

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.reports.tables import csv_text, markdown

texts = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=12)


@given(
    st.lists(
        st.fixed_dictionaries({"a": st.floats(allow_nan=False, allow_infinity=False), "b": texts}),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=30, deadline=None)
def test_csv_gives_back_every_number_and_every_name_but_for_the_apostrophe(rows):
    back = list(csv.DictReader(io.StringIO(csv_text(rows))))
    assert [float(row["a"]) for row in back] == [row["a"] for row in rows]
    for mine, theirs in zip(rows, back, strict=True):
        assert theirs["b"] in (mine["b"], f"'{mine['b']}")
        assert not theirs["b"].strip().startswith(("=", "+", "-", "@"))


@given(st.lists(st.fixed_dictionaries({"a": texts, "b|": texts}), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_no_text_breaks_a_markdown_table_or_brings_markup(rows):
    lines = markdown(rows).split("\n")
    assert len(lines) == len(rows) + 2
    for line in lines:
        plain = line.replace("\\\\", "").replace("\\|", "")
        assert plain.count("|") == 3
        assert "<" not in plain.replace("\\<", "")


def test_no_rows_make_a_header_or_nothing():
    assert csv_text([], columns=["a", "b"]) == "a,b\n"
    assert markdown([], columns=["a"]) == "| a |\n| --- |"
