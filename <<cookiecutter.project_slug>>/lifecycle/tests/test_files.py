"""The seal of a model directory: its files are exactly those of SHA256SUMS."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle import InputError, files


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A folder with two files and their hashes, beside a file that is not in it."""
    folder = tmp_path / "model"
    (folder / "code").mkdir(parents=True)
    (folder / "a").write_text("one")
    (folder / "code/b.py").write_text("two")
    (tmp_path / "outside").write_text("three")
    files.seal(folder)
    return folder


def line(name: str, content: str = "three") -> str:
    return f"{files.sha256(content.encode())}  {name}\n"


def more(text: str) -> Callable[[Path], object]:
    """What appends to the list of hashes."""
    return lambda folder: (folder / files.SUMS).write_text((folder / files.SUMS).read_text() + text)


def test_what_was_sealed_is_opened(sealed: Path) -> None:
    assert files.unseal(sealed) == files.hashed(sealed / files.SUMS)
    (sealed / "code" / files.SUMS).write_text("a list further inside is a file like others")
    files.seal(sealed)
    assert files.unseal(sealed) == files.hashed(sealed / files.SUMS)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda folder: (folder / files.SUMS).write_text(""), "SHA256SUMS is empty"),
        (lambda folder: (folder / files.SUMS).write_text("\n"), "line 1 of SHA256SUMS is not a hash and"),
        (lambda folder: (folder / files.SUMS).write_text(line("a", "one")), "code/b.py is not in SHA256SUMS"),
        (lambda folder: (folder / "code/c.py").write_text("more"), "code/c.py is not in SHA256SUMS"),
        (lambda folder: (folder / ".hidden").write_text("more"), ".hidden is not in SHA256SUMS"),
        (lambda folder: (folder / "code" / files.SUMS).write_text("x"), "code/SHA256SUMS is not in SHA256SUMS"),
        (lambda folder: (folder / "a").unlink(), "a is missing"),
        (lambda folder: (folder / "a").write_text("other"), "a was changed"),
        (more(line("../outside")), "line 3 of SHA256SUMS is not a hash and the path of a file in the folder"),
        (more(line("code/../../outside")), "line 3 of SHA256SUMS is not a hash and"),
        (lambda folder: more(line(str(folder.parent / "outside")))(folder), "line 3 of SHA256SUMS is not a hash and"),
        (more(line("./a", "one")), "./a is missing"),
        (more(line("a", "one")), "SHA256SUMS names a twice"),
        (more("abc  a\n"), "line 3 of SHA256SUMS is not a hash and"),
        (more(line("a", "one").upper()), "line 3 of SHA256SUMS is not a hash and"),
        (more(f"{files.sha256(b'')}\n"), "line 3 of SHA256SUMS is not a hash and"),
        (lambda folder: (folder / "link").symlink_to(folder.parent / "outside"), "link is a link, or no file"),
        (lambda folder: (folder / "up").symlink_to(folder.parent), "up is a link, or no file"),
        (lambda folder: (folder / "gone").symlink_to("nowhere"), "gone is a link, or no file"),
    ],
)
def test_a_folder_that_is_not_what_was_sealed_is_refused(
    change: Callable[[Path], object], sentence: str, sealed: Path
) -> None:
    change(sealed)
    with pytest.raises(InputError) as caught:
        files.unseal(sealed)
    assert str(caught.value).startswith(f"The model directory {sealed} is damaged: {sentence}")
    assert str(caught.value).endswith("; copy or train it again.")


def test_a_file_behind_a_link_is_no_file_of_the_folder(sealed: Path) -> None:
    """Its hash may be right today."""
    (sealed / "a").unlink()
    (sealed / "a").symlink_to(sealed.parent / "outside")
    (sealed / files.SUMS).write_text(line("a") + line("code/b.py", "two"))
    with pytest.raises(InputError, match="a is a link, or no file"):
        files.unseal(sealed)
