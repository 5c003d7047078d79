"""Targets as a person may see them: which one failed, by its place and host, and no token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.notices import Notices, Sender
from pdbt.engine.notices.sending import shown
from tests.notices.conftest import TOKEN, Listener


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("json://hooks.example.org/s3cr3t/t0ken", "json://hooks.example.org/***"),
        ("json://ann:s3cr3t@hooks.example.org:8080/t0ken?x=s3cr3t", "json://hooks.example.org:8080/***"),
        ("https://hooks.slack.com/services/T0/B0/s3cr3t", "https://hooks.slack.com/***"),
        ("mailto://ann:s3cr3t@example.org?smtp=mail.example.org", "mailto://example.org/***"),
        ("mailto://ann:s3cr3t%40@[::1]:25", "mailto://[::1]:25/***"),
        ("mailto://ann:s3/cr3t@example.org", "mailto://***"),
        ("mailto://ann:s3@cr3t@example.org", "mailto://example.org/***"),
        ("slack://t0kenA/t0kenB/t0kenC/#channel", "slack://***"),
        ("tgram://123456789:s3cr3t/chat", "tgram://***"),
        ("discord://webhook/s3cr3t", "discord://***"),
        ("ntfy://s3cr3ttopic", "ntfy://***"),
        ("s3cr3t", "***"),
    ],
)
def test_a_target_is_shown_with_its_host_and_without_its_tokens(url: str, label: str) -> None:
    assert shown(url) == label
    assert "s3cr3t" not in shown(url)
    assert "t0ken" not in shown(url)


@given(st.sampled_from(["json", "mailtos", "slack", "tgram", "https"]), st.text(min_size=1), st.text(), st.text())
def test_what_stands_before_the_host_or_behind_it_is_never_shown(scheme: str, password: str, path: str, query: str) -> None:
    secret = "\N{SNOWMAN}5ecr3t"
    url = f"{scheme}://ann:{password}{secret}@example.org/{path}{secret}?{query}{secret}"
    assert secret not in shown(url)


def test_of_two_targets_of_one_scheme_the_one_that_failed_is_named(
    tmp_path: Path, listener: Listener, free_port: Callable[[], int]
) -> None:
    dead = free_port()
    told: list[str] = []
    urls = (listener.url, f"json://localhost:{dead}/{TOKEN}", f"json://127.0.0.1:{dead}/{TOKEN}", "json://")
    Notices(Sender("shop", urls), tmp_path, told.append).failed("job", "failed", ["why"])
    assert len(listener.received) == 1
    assert len(told) == 3
    assert any(line.startswith(f"no notice was sent: target 2 (json://localhost:{dead}/***) did not take the notice: ") for line in told)
    assert any(line.startswith(f"no notice was sent: target 3 (json://127.0.0.1:{dead}/***) did not take the notice: ") for line in told)
    assert any(line.startswith("no notice was sent: notifications.urls: target 4 (json://***) is nothing") for line in told)
    assert TOKEN not in "".join(told)


def test_the_test_of_all_targets_names_each(tmp_path: Path, listener: Listener, free_port: Callable[[], int]) -> None:
    dead = free_port()
    sender = Sender("shop", (f"json://127.0.0.1:{dead}/{TOKEN}", listener.url), environment=tmp_path / ".env")
    (first, reason), (second, nothing) = sender.try_targets()
    assert (first, second) == (f"target 1 (json://127.0.0.1:{dead}/***)", f"target 2 (json://127.0.0.1:{listener.port}/***)")
    assert reason.startswith(f"{first} did not take the notice: ")
    assert nothing == ""
