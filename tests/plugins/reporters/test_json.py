from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import numpy as np
import pytest

from edgebench.analysis.result import Result
from edgebench.testing.results import case_of, result_of, run_of
from edgebench_plugins.reporters.json import edgebench_reporters


def test_it_is_the_document_of_the_contract():
    (reporter,) = edgebench_reporters()
    results = run_of([result_of(case_of()), Result(case=case_of("b"), status="failed", reason="é")])
    text = reporter.render(results)
    document = json.loads(text)
    schema = json.loads(files("edgebench").joinpath("schemas", "run.json").read_text())
    jsonschema.validate(document, schema)
    assert document == json.loads(json.dumps(results.to_json()))
    assert "é" in text


def test_a_number_that_json_lacks_is_not_written():
    (reporter,) = edgebench_reporters()
    with pytest.raises(ValueError, match="JSON"):
        reporter.render(run_of([], overheads_s={"bracket": np.nan}))
