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
