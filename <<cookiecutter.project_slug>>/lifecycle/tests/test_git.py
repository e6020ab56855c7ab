from pathlib import Path

from conftest import Git

from lifecycle import git


def test_what_was_tried_on_a_branch_is_no_commit_of_main(repository: Git) -> None:
    path = Path("manifests/ours.yaml")
    branch = repository("branch", "--show-current")
    repository("switch", "--quiet", "--create", "side")
    for text in ("tried", "kept"):
        path.write_text(text)
        repository.commit(text)
    repository("switch", "--quiet", branch)
    repository("merge", "--quiet", "--no-ff", "--message", "Merge", "side")
    assert git.states(path) == [repository("rev-parse", "HEAD")]
