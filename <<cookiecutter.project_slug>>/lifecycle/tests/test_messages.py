from typing import Any

import pytest

from lifecycle.artifact.requests import RequestError
from lifecycle.serving import messages

TABLE = {"number": [1, 2], "colour": ["red", None]}


@pytest.mark.parametrize(
    "message",
    [
        {"jsonData": [{"number": 1, "colour": "red"}, {"colour": None, "number": 2}]},
        {"jsonData": [{"number": 1, "colour": "red"}, {"number": 2}]},
        {"jsonData": TABLE},
        {"data": {"names": ["number", "colour"], "ndarray": [[1, "red"], [2, None]]}},
        {"data": {"names": ["colour", "number"], "ndarray": [["red", 1], [None, 2]]}},
        {"data": {"names": ["number", "colour"], "tensor": {"shape": [2, 2], "values": [1, "red", 2, None]}}},
    ],
)
def test_every_form_of_a_message_holds_the_same_columns(message: dict[str, Any]) -> None:
    assert {name: list(values) for name, values in messages.columns(message, lambda *_: None).items()} == TABLE


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({}, "neither jsonData nor data"),
        ({"data": 1}, "neither jsonData nor data"),
        ({"strData": "x"}, "neither jsonData nor data"),
        ({"data": {"ndarray": [[1]]}}, "a list of column names"),
        ({"data": {"names": [], "ndarray": [[]]}}, "a list of column names"),
        ({"data": {"names": [1], "ndarray": [[1]]}}, "a list of column names"),
        ({"data": {"names": ["a", "a"], "ndarray": [[1, 1]]}}, "a column twice"),
        ({"data": {"names": ["a"]}}, "data.ndarray is not a list"),
        ({"data": {"names": ["a"], "ndarray": []}}, "at least one row"),
        ({"data": {"names": ["a", "b"], "ndarray": [[1, 2], [1]]}}, "Row 1 of data.ndarray is not a list of 2 values"),
        ({"data": {"names": ["a"], "ndarray": [1]}}, "Row 0 of data.ndarray"),
        ({"data": {"names": ["a"], "tensor": {"shape": [1, 2], "values": [1, 2]}}}, "the shape [rows, 1]"),
        ({"data": {"names": ["a"], "tensor": {"shape": [2, 1], "values": [1]}}}, "1 values, which do not fit"),
        ({"data": {"names": ["a"], "tensor": {"shape": [0, 1], "values": []}}}, "0 values, which do not fit"),
        ({"data": {"names": ["a"], "tensor": {"shape": [True, 1], "values": [1]}}}, "do not fit"),
        ({"data": {"names": ["a"], "tensor": 3}}, "data.tensor is not values"),
        ({"jsonData": []}, "jsonData has no row"),
        ({"jsonData": [{"a": 1}, 2]}, "Row 1 is not an object"),
        ({"jsonData": [{}]}, "Row 0 has no column"),
        ({"jsonData": "x"}, "neither a list of rows nor an object of columns"),
        ({"jsonData": {"a": 1}}, "neither a list of rows nor an object of columns"),
        ({"jsonData": {"a": []}}, "no row"),
        ({"jsonData": {"a": [1], "b": [1, 2]}}, "The column b of jsonData has more or fewer rows than the first"),
    ],
)
def test_a_message_without_a_table_is_refused(message: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        messages.columns(message, lambda *_: None)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "truth",
    [
        {"jsonData": ["yes", "no"]},
        {"data": {"ndarray": ["yes", "no"]}},
        {"data": {"ndarray": [["yes"], ["no"]]}},
        {"data": {"tensor": {"shape": [2, 1], "values": ["yes", "no"]}}},
    ],
)
def test_feedback_names_a_request_and_its_rows_truth(truth: dict[str, Any]) -> None:
    found = messages.truth({"response": {"meta": {"puid": "a"}}, "truth": truth, "reward": 1})
    assert found == ("a", ["yes", "no"])


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({}, "names no request"),
        ({"response": {"meta": {}}}, "names no request"),
        ({"response": {"meta": {"puid": 3}}}, "names no request"),
        ({"response": {"meta": {"puid": "a"}}}, "has no truth"),
        ({"response": {"meta": {"puid": "a"}}, "truth": {}}, "not a list with a label"),
        ({"response": {"meta": {"puid": "a"}}, "truth": {"data": {"tensor": 3}}}, "not a list with a label"),
        ({"response": {"meta": {"puid": "a"}}, "truth": {"jsonData": []}}, "not a list with a label"),
    ],
)
def test_feedback_that_says_nothing_is_refused(message: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        messages.truth(message)
    assert sentence in str(caught.value)
