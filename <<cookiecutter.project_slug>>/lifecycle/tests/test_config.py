from pathlib import Path

import pytest
import yaml
from tiny import document

from lifecycle import InputError, config


def changed(path: str, value: object) -> dict[str, object]:
    """A valid document with one value changed, or removed with `...`."""
    made = document("binary_classification", Path("tiny.parquet"), "0" * 64)
    *parents, last = path.split(".")
    node = made
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node[part]
    if value is ...:
        del node[last]
    else:
        node[int(last) if isinstance(node, list) else last] = value
    return made


def refused(values: object, folder: Path) -> str:
    path = folder / "config.yaml"
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    with pytest.raises(InputError) as caught:
        config.load(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("speed", 1, "speed is not a known key; allowed are name, task, data, split, train"),
        ("train.sed", 1, "train.sed is not a known key; allowed are seed, threshold, parameters, parity"),
        (
            "gates.1.metrik",
            "f1",
            "gates.1.floor.metrik is not a known key; allowed are severity, kind, metric, bound, by",
        ),
        ("data.features.number.mn", 1, "data.features.number.mn is not a known key; allowed are type, min, max"),
        ("train.seed", ..., "train.seed is missing; add it"),
        ("task", "binary", "binary_classification, multiclass_classification or regression"),
        (
            "gates.0.kind",
            "row",
            "rows, floor, ceiling, baseline, champion, slice, gap, fairness, calibration, parity, latency",
        ),
        ("data.target.classes", [False, True], "YAML reads an unquoted no, off or false as false; write the class in"),
        ("data.target.positive", True, "YAML reads an unquoted yes, on or true as true; write the class in quotes"),
        ("data.target.positive", "no", "positive is no, which must be the second of two classes, not [no, yes]"),
        ("gates.1.metric", "mae", "gates names mae; allowed are average_precision"),
        ("gates.1.bound", "high", "gates.1.floor.bound: should be a valid number"),
        ("gates.1.bound", float("nan"), "should be a finite number"),
        ("gates.0.severity", "low", "block or warn"),
        ("data.sha256", "abc", "data.sha256"),
        ("data.features.number.type", "text", "number or category"),
        ("data.target.cuts", [1, 0], "2 cuts need 3 classes"),
        ("data.target.classes", ["a", "a"], "classes must differ"),
        ("data.target.column", "number", "features names number, the target or the time, which cannot be a feature"),
        ("data.features.label", {"type": "number"}, "the steps reserve label; rename the feature"),
        ("task", "regression", "regression does not fit 2 classes"),
        ("gates.0", {"kind": "gap", "slice": "size", "metric": "f1", "bound": 1, "rows": 1}, "gates names size"),
        ("split.train", ["2020-02-01", "2020-01-01"], "must begin before it ends"),
        ("split.test", ["2020-01-02", "2020-01-03"], "before train ends"),
        ("evaluate.level", 1.5, "less than 1"),
        ("evaluate.slices", [{"column": "colour"}, {"column": "colour"}], "evaluate.slices names a column twice"),
        (
            "gates",
            [{"kind": "fairness", "slice": "number", "metric": "selection_rate_difference", "bound": 1}],
            "gates names number; allowed are colour",
        ),
        (
            "gates",
            [{"kind": "fairness", "slice": "colour", "metric": "roc_auc", "bound": 1}],
            "gates names roc_auc; allowed are equalized_odds_difference, selection_rate_difference",
        ),
        ("monitor.metrics", ["mae"], "monitor.metrics names mae; allowed are accuracy"),
        ("monitor.alert.windows", 4, "windows (4) cannot exceed of (3)"),
        ("serve.workers", 0, "greater than or equal to 1"),
        ("monitor.alert.quiet", 1, "quiet chooses windows and of; remove of and windows, or quiet"),
        (
            "promote.freeze",
            [{"environment": "live", "from": "2020-01-01", "until": "2020-01-02", "reason": "x"}],
            "live",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_what_is_allowed(
    path: str, value: object, sentence: str, tmp_path: Path
) -> None:
    message = refused(changed(path, value), tmp_path)
    assert sentence in message
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just text\n", "a: [\n", "\t: x\n"])
def test_a_file_that_is_not_a_configuration_is_refused(text: str, tmp_path: Path) -> None:
    assert "config.yaml" in refused(text, tmp_path)


def test_regression_has_no_calibration_to_gate(tmp_path: Path) -> None:
    made = document("regression", Path("tiny.parquet"), "0" * 64)
    made["gates"].append({"kind": "calibration", "bound": 0.1})
    assert "calibration, which regression does not have" in refused(made, tmp_path)


def test_only_our_own_server_has_several_workers(tmp_path: Path) -> None:
    made = document("binary_classification", Path("tiny.parquet"), "0" * 64)
    made["serve"] |= {"server": "seldon-core"}
    assert config.Config.model_validate(made).serve.workers == 1
    made["serve"] |= {"workers": 2}
    assert "several workers need server: asgi; set workers to 1, or change the server" in refused(made, tmp_path)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = yaml.safe_dump(changed("name", "one")) + "name: two\n"
    assert "the key name appears twice" in refused(text, tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        config.load(tmp_path / "config.yaml")


def test_classes_may_be_whole_numbers() -> None:
    target = config.Target.model_validate({"column": "outcome", "classes": [0, 1], "positive": 1})
    assert (target.classes, target.positive) == (("0", "1"), "1")


def test_a_name_where_there_is_none_to_choose_from_is_told(tmp_path: Path) -> None:
    values = changed("evaluate.slices", [])
    values["gates"] = [{"kind": "slice", "slice": "colour", "metric": "f1", "bound": 0.5, "rows": 10}]
    assert "gates names colour; there is none that it could name" in refused(values, tmp_path)
