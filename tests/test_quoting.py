from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from softhash.quoting import quote_override

PATHS = [
    "/home/josé/x",
    "/data/日本",
    "/a b/c",
    "/a(1)",
    "/a[2]",
    "/a,b",
    "/it's",
    '/say "hi"',
    "/${x}",
    "C:\\new\\",
    "$5",
]


def read_by_hydra(override: str) -> object:
    value = OverridesParser.create().parse_override(override).value()
    return OmegaConf.create({"read": value}).read  # which would fill in ${...}


@given(st.one_of(st.sampled_from(PATHS), st.text(alphabet="\\'\"${}[](),= é日a1.:"), st.text()))
@example("true")
@example("null")
@example("007")
@example("1e5")
@example("nan")
@example("")
def test_hydra_reads_the_text_that_was_quoted_whatever_its_letters(text: str) -> None:
    assert read_by_hydra(quote_override("run", text)) == text


def test_a_path_of_plain_letters_needs_no_quotes() -> None:
    assert quote_override("run", "../runs/a-b/0-2024.1") == "run=../runs/a-b/0-2024.1"
