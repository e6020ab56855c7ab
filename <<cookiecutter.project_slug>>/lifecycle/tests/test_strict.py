"""YAML from others: read by one loader, which refuses aliases, deep nesting and double keys before anything is made."""

import ast
import tracemalloc
from pathlib import Path

import pytest
import yaml
from tiny import ROOT

from lifecycle import InputError, config
from lifecycle.strict import DEEPEST, every, parsed

# Of 300 bytes; nine lines of nine aliases stand for 400 million words.
LAUGHS = "a0: &a0 [lol]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (LAUGHS, 1),
        ("b: 1\na: *other\n", 2),
        (f"a: {{x: 1}}\nb:\n  {'<' * 2}: *a\n", 3),  # cookiecutter reads two of this sign
        ("a: &once 1\n", 1),
        ("a: &itself [*itself]\n", 1),
        ("a: 1\n? &key b\n: 2\n", 2),
    ],
)
def test_an_anchor_or_an_alias_is_refused_with_its_line(text: str, line: int) -> None:
    for read in (parsed, every):
        with pytest.raises(yaml.YAMLError, match="anchors .* are not allowed; write the value where it is") as caught:
            read(text)
        assert f"line {line}," in str(caught.value)


def test_aliases_are_refused_before_they_are_expanded(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(LAUGHS)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"config.yaml is not valid YAML: anchors .*line 1, column 5"):
            config.load(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", ["[" * 100_000, "a:\n" + "- " * 5_000, "{a: " * 5_000, "- ? " * 3_000])
def test_deep_nesting_is_refused_without_a_recursion(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match=f"nested more than {DEEPEST} deep"):
        parsed(text)


def test_what_is_nested_as_deep_as_allowed_is_read() -> None:
    text = "[" * (DEEPEST - 1) + "1" + "]" * (DEEPEST - 1)
    assert str(parsed(text)) == text
    with pytest.raises(yaml.YAMLError, match="line 1, column 51"):
        parsed(f"[{text}]")


def test_the_signs_of_an_alias_are_text_in_quotes() -> None:
    assert parsed("a: '*b'\nc: 2 & 3\n") == {"a": "*b", "c": "2 & 3"}


def test_no_other_module_reads_yaml() -> None:
    for path in (ROOT / "lifecycle").rglob("*.py"):
        if "tests" in path.parts or path.name == "strict.py":
            continue
        called = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        readers = {"safe_load", "safe_load_all", "full_load", "unsafe_load", "load_all", "compose", "SafeLoader"}
        assert not called & readers, path
