import json
from pathlib import Path
from typing import Any

import pytest
from served import Client, Process, client
from tiny import Trained

from lifecycle import InputError
from lifecycle.artifact import golden
from lifecycle.serving import smoke

IMAGE = f"ghcr.io/acme/tiny-serve@sha256:{'a' * 64}"


def asker(service: Client) -> Any:
    def asked(url: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = service.post(smoke.PATH, json={"jsonData": rows}).json()
        return found

    return asked


def test_a_service_of_the_release_passes(trained: Trained, tmp_path: Path) -> None:
    service = client(trained, tmp_path, {"PREDICTIVE_UNIT_IMAGE": IMAGE})
    said = smoke.run("http://model", IMAGE, trained.build / "model", 1, asker(service))
    assert said.endswith(f"golden rows as in training, from {IMAGE}")


def test_another_image_is_waited_for_and_then_told(
    binary: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = client(binary, tmp_path / "old", {"PREDICTIVE_UNIT_IMAGE": IMAGE.replace("aaa", "bbb")})
    new = client(binary, tmp_path / "new", {"PREDICTIVE_UNIT_IMAGE": IMAGE})
    with pytest.raises(InputError, match=f"within 0.1 seconds: ghcr.io/.*@sha256:b+a? answered, not {IMAGE}"):
        smoke.run("http://model", IMAGE, binary.build / "model", 0.1, asker(old), pause=0.01)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("smoke: asks for 0 seconds more: ghcr.io/")
    services = iter([new, old, new, new, old, *[new] * smoke.IN_A_ROW])
    asked = []

    def mixed(url: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        asked.append(next(services))
        found: dict[str, Any] = asker(asked[-1])(url, rows)
        return found

    assert smoke.run("http://model", IMAGE, binary.build / "model", 5, mixed, pause=0.0)
    assert asked[-smoke.IN_A_ROW :] == [new] * smoke.IN_A_ROW
    assert len(asked) == 5 + smoke.IN_A_ROW


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda answer: answer["meta"]["tags"].update(version="other"), "version other answered"),
        (lambda answer: answer["jsonData"][0]["probabilities"].update(no=0.5, yes=0.5), "to a golden row, not"),
        (lambda answer: answer["jsonData"].pop(), "answers to"),
        (lambda answer: answer.pop("meta"), "the answer lacks 'meta'"),
        (lambda answer: answer.update(jsonData=None), "the answer lacks"),
    ],
)
def test_another_answer_is_told(change: Any, told: str, binary: Trained, tmp_path: Path) -> None:
    service = client(binary, tmp_path)

    def changed(url: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        found = asker(service)(url, rows)
        change(found)
        return dict(found)

    with pytest.raises(InputError, match=told):
        smoke.run("http://model", "", binary.build / "model", 0.0, changed, pause=0.01)


def test_a_release_that_answers_wrongly_is_not_waited_for(binary: Trained, tmp_path: Path) -> None:
    """On a cluster each try would hold the commit that mends it back."""
    service = client(binary, tmp_path, {"PREDICTIVE_UNIT_IMAGE": IMAGE})
    asked = []

    def wrong(url: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        asked.append(asker(service)(url, rows))
        asked[-1]["jsonData"][0]["probabilities"].update(no=0.5, yes=0.5)
        if len(asked) == 3:  # an older pod in between
            asked[-1]["meta"]["requestPath"] = {"model": "older"}
        found: dict[str, Any] = asked[-1]
        return found

    with pytest.raises(InputError, match=r"http://model does not answer as released: it answers .* to a golden row"):
        smoke.run("http://model", IMAGE, binary.build / "model", 3600, wrong, pause=0.0)
    assert len(asked) == 3 + smoke.IN_A_ROW


def test_a_real_service_is_asked_over_http(binary: Trained, tmp_path: Path) -> None:
    with Process(binary, tmp_path, PREDICTIVE_UNIT_IMAGE=IMAGE) as process:
        url = f"http://127.0.0.1:{process.port}"
        assert IMAGE in smoke.run(url, IMAGE, binary.build / "model", 5)
        with pytest.raises(InputError, match="answers 400"):
            smoke.ask(url, [{"nonsense": 1}])
    with pytest.raises(InputError, match="does not answer"):
        smoke.ask(url, [{"number": 1}])
    logged = [json.loads(line) for path in tmp_path.rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert logged
    assert all(line["request"].startswith(golden.REQUEST) for line in logged)  # which the monitor leaves out


def test_answers_may_differ_in_their_last_digits_only() -> None:
    wanted: list[dict[str, Any]] = [
        {"prediction": "yes", "probabilities": {"no": 0.25, "yes": 0.75}},
        {"prediction": 2.0},
    ]
    near = json.loads(json.dumps(wanted).replace("0.75", "0.75000001"))
    assert golden.difference(near, wanted) == ""
    assert "to a golden row" in golden.difference(json.loads(json.dumps(wanted).replace("0.75", "0.76")), wanted)
    assert "to a golden row" in golden.difference([wanted[0], {"prediction": 2.1}], wanted)
    assert "2 answers to 1 golden rows" in golden.difference(wanted, wanted[:1])
