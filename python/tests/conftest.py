import pathlib

import pytest


@pytest.fixture(scope="session")
def artifact():
    """The path of an artifact made for tests, by name."""
    folder = pathlib.Path("python/tests/artifacts")
    return lambda name: str(folder / (name + ".mgec"))
