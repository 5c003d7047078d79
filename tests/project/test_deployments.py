"""Deployments as the settings name them, chosen by labels, and what is told of those that do not answer as they should."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable

import pytest

from pdbt.engine.errors import SettingsError
from pdbt.project.deployments import Deployment, read_deployments
from pdbt.project.following import follow
from pdbt.project.workspace import Workspace
from tests.project.conftest import Add, Pdbt
from tests.project.elsewhere import AT_MOST_SECONDS, TOKEN, refused
from tests.project.gate import opened

TWO = """\
[deployments.paris]
url = "http://10.0.0.1:3000/"
labels = ["eu", "night"]
[deployments.lyon]
url = "http://10.0.0.2"
labels = ["eu"]
"""

Name = Callable[..., None]


@pytest.fixture
def named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Name:
    """Write settings of the workspace, and go there."""

    def write(text: str) -> None:
        (workspace.root / "pdbt-workspace.toml").write_text(text, encoding="utf-8")

    monkeypatch.chdir(workspace.root)
    return write


# Settings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "[deployment.paris]\n",
            "there is no section [deployment].",
            "Did you mean [deployments]? Allowed: [connections], [dagster], [deployments].",
        ),
        ("deployments = 1\n", "deployments is no section.", 'Write [deployments.NAME] with url = "https://…".'),
        ("[deployments]\nparis = 1\n", "deployments.paris is no section.", 'Write [deployments.paris] with url = "https://…".'),
        ('[deployments."a b"]\n', '"a b" is no name for a deployment.', "Use letters, digits, - and _, a letter first."),
        (
            "[deployments.paris]\n",
            "deployments.paris.url is missing.",
            'It must be the address of Dagster\'s page, as "https://dagster.example.com".',
        ),
        ("[deployments.paris]\nurl = 3\n", "deployments.paris.url is not what it must be.", "It must be the address"),
        (
            '[deployments.paris]\nurl = "http://h"\ntokn = "${T}"\n',
            "[deployments.paris] has no key 'tokn'.",
            "Did you mean token? Allowed: url, token, auth, labels, default.",
        ),
        (
            f'[deployments.paris]\nurl = "http://h"\ntoken = "{TOKEN}"\n',
            "deployments.paris.token is not what it must be.",
            'It must be of the form "${NAME}": it is taken from the environment or .env.',
        ),
        ('[deployments.paris]\nurl = "http://h"\nauth = "basic"\n', "deployments.paris.auth is not", 'It must be "dagster" | "bearer".'),
        ('[deployments.paris]\nurl = "http://h"\nlabels = "eu"\n', "deployments.paris.labels is not", "It must be a list of texts."),
        ('[deployments.paris]\nurl = "http://h"\ndefault = 1\n', "deployments.paris.default is not", "It must be true or false."),
        (
            TWO.replace("labels", "default = true\nlabels"),
            "paris and lyon are both the default deployment.",
            "Set default = true for one of them.",
        ),
    ],
)
def test_what_is_wrong_in_the_settings_is_told(named: Name, workspace: Workspace, text: str, message: str, hint: str) -> None:
    named(text)
    told = refused("shop")
    assert isinstance(told, SettingsError)
    assert told.message.startswith(f"{workspace.root / 'pdbt-workspace.toml'}: {message}")
    assert told.hint.startswith(hint)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://host", "is no address of a page."),
        ("dagster.example.com", "is no address of a page."),
        ("http://", "is no address of a page."),
        ("http://host:port", "is no address of a page."),
        ("http://ho st/", "is no address of a page."),
        ("http://user:word@host", "holds more than an address."),
        ("http://host/?a=1", "holds more than an address."),
    ],
)
def test_an_address_that_is_none_is_told(named: Name, url: str, said: str) -> None:
    named(f'[deployments.paris]\nurl = "{url}"\n')
    told = refused("shop")
    assert told.message == f"pdbt-workspace.toml: deployments.paris.url {said}"
    assert "word" not in str(told).replace("password", "")


def test_a_token_comes_from_the_environment_or_the_file_beside(named: Name, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    named('[deployments.paris]\nurl = "https://${HOST_OF_PARIS}/prod"\ntoken = "${PARIS_TOKEN}"\nauth = "bearer"\n')
    monkeypatch.setenv("HOST_OF_PARIS", "example.com")
    assert refused("shop").message == "pdbt-workspace.toml: deployments.paris.token uses ${PARIS_TOKEN}, which is not set."
    (workspace.root / ".env").write_text(f"PARIS_TOKEN={TOKEN}\n", encoding="utf-8")
    chosen = read_deployments(workspace.root / "pdbt-workspace.toml").choose([])
    assert (chosen.url, chosen.headers) == ("https://example.com/prod", {"Authorization": f"Bearer {TOKEN}"})
    assert TOKEN not in repr(chosen)
    monkeypatch.setenv("PARIS_TOKEN", "two\nlines")
    assert "deployments.paris.token holds characters that no token has" in refused("shop").message


def test_labels_choose(named: Name, workspace: Workspace) -> None:
    file = workspace.root / "pdbt-workspace.toml"
    named(TWO)
    known = read_deployments(file)
    assert known.choose(["night"]).url == "http://10.0.0.1:3000"
    assert known.choose(["eu", "lyon"]).name == "lyon"
    assert known.choose(["eu"]).name == "paris"
    named(TWO + "default = true\n")
    known = read_deployments(file)
    assert known.choose([]).name == "lyon"
    assert known.choose(["eu"]).name == "lyon"
    assert known.choose(["eu", "night"]).name == "paris"


def test_labels_that_choose_nothing_are_told_with_those_that_there_are(named: Name, workspace: Workspace) -> None:
    named(TWO)
    told = refused("shop", ["us"])
    assert str(told) == "No deployment serves the label us. There are: paris (eu, night), lyon (eu)."
    assert refused("shop", ["night", "lyon"]).message == "No deployment serves all of the labels night, lyon."
    told = refused("shop")
    assert told.message == "There are 2 deployments, and none of them is the default one."
    assert told.hint == "Choose by a label, or set default = true for one. There are: paris (eu, night), lyon (eu)."
    named("")
    told = refused("shop", ["us"])
    assert told.message == "There are no deployments to run on."
    assert str(workspace.root / "pdbt-workspace.toml") in told.hint


def test_a_projects_own_deployments_come_before_those_of_its_workspace(named: Name, add: Add) -> None:
    project = add("orders", "acme")
    named(TWO)
    settings = project / "pdbt.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + '\n[deployments.paris]\nurl = "http://127.0.0.1:9"\n', encoding="utf-8")
    told = refused("orders", ["paris"])
    assert "the deployment paris at http://127.0.0.1:9 cannot be reached" in told.message.lower()
    assert "There are: paris (no labels), lyon (eu)." in told.hint
    settings.write_text("[deployments.paris]\nurl = 'x'\n", encoding="utf-8")
    assert refused("acme/orders", ["paris"]).message == "pdbt.toml: deployments.paris.url is no address of a page."


# Answers --------------------------------------------------------------------------------------------------------------


def test_nobody_there(named: Name) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    named(f'[deployments.paris]\nurl = "http://127.0.0.1:{port}"\nlabels = ["eu"]\n')
    told = refused("shop")
    assert told.message == f"The deployment paris at http://127.0.0.1:{port} cannot be reached: Connection refused."
    assert told.hint.endswith("There are: paris (eu).")
    named('[deployments.paris]\nurl = "http://no-such-host.invalid"\n')
    assert refused("shop").message.startswith("The deployment paris at http://no-such-host.invalid ")


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ({"answer": (500, {}, b"oops")}, "answers with an error: 500 Internal Server Error."),
        ({"answer": (502, {}, TOKEN.encode())}, "answers with an error: 502 Bad Gateway."),
        ({"answer": (404, {}, b"")}, "has no GraphQL (404)."),
        ({"answer": (403, {}, b"")}, "refuses the token (403)."),
        ({"token": ("dagster-cloud-api-token", "another")}, "refuses the token (401)."),
        ({"answer": (302, {"Location": "http://127.0.0.1:1/login"}, b"")}, "leads elsewhere (302), to http://127.0.0.1:1/login; pdbt"),
        (
            {"answer": (307, {"Location": "http://127.0.0.1:1/"}, b"")},
            "leads elsewhere (307), to http://127.0.0.1:1/; pdbt does not follow.",
        ),
        ({"answer": (200, {}, b"<html>Welcome</html>")}, "does not answer as Dagster does."),
        ({"answer": (200, {}, b"\xff\xfe\x00")}, "does not answer as Dagster does."),
        ({"answer": (200, {}, b"[1, 2]")}, "does not answer as Dagster does."),
        ({"answer": (200, {}, b"[" * 100_000)}, "does not answer as Dagster does."),
        ({"answer": (200, {}, b'{"data": {}}')}, "does not answer as Dagster does."),
        ({"answer": (200, {}, b'{"data": {"workspaceOrError": {"__typename": "Workspace"}}}')}, "does not answer as Dagster does."),
        ({"answer": (200, {"Content-Length": "99"}, b"{")}, "does not answer as Dagster does."),
        ({"answer": (200, {}, f'{{"errors": [{{"message": "no field\\n{TOKEN}"}}]}}'.encode())}, "answers: no field ***"),
        ({"closed": True}, "has broken off: "),
        ({"silent": True}, "has not answered within "),
        ({"dripping": True, "answer": (200, {}, b"")}, "has not answered within "),
    ],
)
def test_an_answer_that_is_none_is_told(named: Name, monkeypatch: pytest.MonkeyPatch, gate: dict[str, object], said: str) -> None:
    monkeypatch.setenv("PARIS_TOKEN", TOKEN)
    with opened(**gate) as opened_gate:
        named(f'[deployments.paris]\nurl = "{opened_gate.url}"\nlabels = ["eu"]\ntoken = "${{PARIS_TOKEN}}"\n')
        told = refused("shop", ["eu"])
        assert told.message.startswith(f"The deployment paris at {opened_gate.url} {said}")
        assert told.hint.endswith("There are: paris (eu).")
        assert [seen["dagster-cloud-api-token"] for seen in opened_gate.seen] == [TOKEN]


def located(name: str, project: str | None) -> dict[str, object]:
    """Return a code location as Dagster tells of it: with a project in it, or, for None, being loaded."""
    if project is None:
        return {"name": name, "loadStatus": "LOADING", "locationOrLoadError": None}
    told = json.dumps({"project": project, "parameters": {}, "anything": False})
    job = {"name": "main_pipeline_job", "metadataEntries": [{"label": "pdbt", "jsonString": told}]}
    loaded = {"__typename": "RepositoryLocation", "repositories": [{"name": "__repository__", "jobs": [job]}]}
    return {"name": name, "loadStatus": "LOADED", "locationOrLoadError": loaded}


@pytest.mark.parametrize(
    ("locations", "said"),
    [
        ([("a", "shop"), ("b", "shop")], "has shop in more than one code location: a and b. Give each a name of its own there."),
        ([("a", "shops"), ("b", None)], "has no project shop. Did you mean shops? It has: b, shops."),
        ([("shop", None)], "is still loading shop. Try again in a minute."),
    ],
)
def test_a_project_that_is_not_there_once_is_told(named: Name, locations: list[tuple[str, str | None]], said: str) -> None:
    workspace = {"__typename": "Workspace", "locationEntries": [located(*location) for location in locations]}
    with opened(answer=(200, {}, json.dumps({"data": {"workspaceOrError": workspace}}).encode())) as gate:
        named(f'[deployments.paris]\nurl = "{gate.url}"\n')
        assert str(refused("shop")) == f"The deployment paris at {gate.url} {said}"


def test_a_wait_ends_in_time_also_beside_a_deployment_that_is_silent() -> None:
    told: list[str] = []
    with opened(silent=True) as gate:
        begun = time.monotonic()
        outcome = follow(Deployment("paris", gate.url), "4711", timeout=1.5, tell=told.append)
        assert time.monotonic() - begun < AT_MOST_SECONDS
    assert (outcome.status, outcome.error) == ("running", f"The run has not ended within 1.5 s. It goes on: {gate.url}/runs/4711")
    assert told == [f"The deployment paris at {gate.url} has not answered within 1.5 s. It may be back soon: waiting 30 s for it."]


def test_a_deployment_that_wants_a_token_is_told(named: Name) -> None:
    with opened(answer=(401, {}, b"")) as gate:
        named(f'[deployments.paris]\nurl = "{gate.url}"\n')
        assert refused("shop").message == f"The deployment paris at {gate.url} wants a token (401)."


def test_the_command_says_the_same_and_never_the_token(named: Name, workspace: Workspace, pdbt: Pdbt) -> None:
    (workspace.root / ".env").write_text(f"PARIS_TOKEN={TOKEN}\n", encoding="utf-8")
    with opened(answer=(302, {"Location": f"http://127.0.0.1:1/?{TOKEN}"}, b"")) as gate:
        named(f'[deployments.paris]\nurl = "{gate.url}"\ntoken = "${{PARIS_TOKEN}}"\n')
        for words in (["shop", "--cloud"], ["shop", "--cloud", "--wait", "--debug"]):
            ended = pdbt("run", *words)
            assert ended.code in (1, 2)
            assert "leads elsewhere (302), to http://127.0.0.1:1/?***" in ended.stderr
            assert TOKEN not in ended.stdout + ended.stderr
            assert ended.code == 2 or "--debug" in words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cloud", "--dry-run", "--lock-timeout", "3"], "--dry-run and --lock-timeout do not go with --cloud."),
        (["--label", "eu"], "--label does not go with a run here."),
        (["--wait"], "--wait does not go with a run here."),
        (["--cloud", "--param", "least"], "--param least is not name=value."),
        (["--lock-timeout", "-1"], "Invalid value for '--lock-timeout'"),
    ],
)
def test_words_that_do_not_go_together_are_refused(named: Name, pdbt: Pdbt, words: list[str], said: str) -> None:
    named("")
    ended = pdbt("run", "shop", *words)
    assert (ended.code, ended.stderr.startswith(f"error: {said}")) == (2, True), ended.stderr


def test_quiet_and_lock_timeout_are_those_of_the_script(add: Add, pdbt: Pdbt) -> None:
    add("orders")
    ended = pdbt("run", "orders", "--quiet", "--lock-timeout", "3")
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
