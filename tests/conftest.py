"""Hypothesis profiles and fixtures for every test."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

slow_start = (HealthCheck.too_slow, HealthCheck.differing_executors)
settings.register_profile(
    "default", deadline=None, max_examples=50, suppress_health_check=slow_start
)
settings.register_profile(
    "ci", deadline=None, max_examples=50, derandomize=True, suppress_health_check=slow_start
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture
def rng():
    """A generator with a fixed seed."""
    return np.random.default_rng(20240607)


def pytest_collection_modifyitems(items):
    """Tests of real data need to be told where it is."""
    if os.environ.get("SPARSEOPT_DATA"):
        return
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(pytest.mark.skip(reason="needs SPARSEOPT_DATA"))
