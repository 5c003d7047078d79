"""Tests that cannot run beside each other, such as those of Ray, share a group, and pytest-xdist runs a group on one worker."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("one")
def test_groups_are_seen(request: pytest.FixtureRequest) -> None:
    """Groups are known by the ids of their tests; a pytest that loses them there runs them anywhere, and says nothing."""
    assert not request.config.getoption("loadgroup", False) or request.node.nodeid.endswith("@one")
