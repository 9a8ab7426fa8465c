"""Whatever comes from outside is read, or refused in the way that was foreseen: every parser, over good examples that are bent."""

from __future__ import annotations

import time
import warnings

import fuzz_vendor_readers  # noqa: F401 - it adds to the readers
import pytest
from fuzz_inputs import fuzzed
from fuzz_readers import READERS
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("name", READERS)
@fuzzed
@given(data=st.data())
def test_outside_bytes_are_read_or_refused(name: str, data: st.DataObject) -> None:
    reader = READERS[name]
    given_value = data.draw(reader.inputs)
    begun = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a library may say that a key is weak; it is left out
            reader.read(given_value)
    except reader.refusals:
        pass
    # Nothing that fits into a request may keep the process busy; generous, for the machine has other work too.
    assert time.process_time() - begun < 5
