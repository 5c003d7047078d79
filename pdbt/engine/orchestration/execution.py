"""The one step of the pipeline: the functions of the classic run, each table reported to Dagster as it is made."""

# Dagster looks at the annotations of a step themselves, so they are no texts in this file.

import functools
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import dagster

from ..command import StepFunction
from ..errors import PdbtError, may_pass
from ..graph import Node
from ..parameters import Accepted
from ..process.foreground import DAGSTER_HOME
from ..process.place import page_url, pid_file_of
from ..report import StepResult
from ..run import Run
from ..selection import Selection
from ..session import RunOptions, open_run
from ..settings import Settings
from .assets import Described, plain_names
from .automation import JOB
from .metadata import LOOKS, PARTIAL_TAG, PUBLISHED_TAG, TABLE, VERSION, of_job, of_step, of_table

STEP = "run_pipeline"
_CONFIG = {
    "full": dagster.Field(bool, default_value=False, description="Make everything again, changed or not."),
    "parameters": dagster.Field(dict, default_value={}, description="Values of $name in SQL, for this run."),
}


def pipeline_assets(settings: Settings, described: Described, steps: Sequence[StepFunction]) -> dagster.AssetsDefinition:
    """Return the one definition that makes all assets of a project, or those that are chosen."""
    keys = {spec.key.to_user_string(): spec.key for spec in described.assets}
    outputs = plain_names(keys)
    checks = {name: f"check_{spec.name}" for name, spec in described.checks.items()}

    def run_pipeline(context: dagster.AssetExecutionContext) -> Iterator[dagster.AssetCheckResult]:
        # Tables are reported as they are made, and not as outputs, which Dagster would take when all are made.
        recorder = _Recorder(context, described)
        try:
            _run(context, settings, steps, _selection(context, described), recorder)
        except Exception:  # the owner's own code raises whatever it likes; what was checked before that is told, and the error goes on
            yield from recorder.checks
            raise
        yield from recorder.checks

    step = dagster.op(
        name=STEP,
        out={name: dagster.Out(dagster.Nothing, is_required=False) for name in (*outputs.values(), *checks.values())},
        config_schema=_CONFIG,
    )(run_pipeline)
    return dagster.AssetsDefinition(
        keys_by_output_name={outputs[name]: key for name, key in keys.items()},
        node_def=step,
        can_subset=True,
        check_specs_by_output_name={checks[name]: spec for name, spec in described.checks.items()},
        specs=described.assets,
    )


def pipeline_job(settings: Settings, described: Described, steps: Sequence[StepFunction], accepted: Accepted) -> dagster.JobDefinition:
    """Return the job of a project that makes no table yet: its scripts may bring the first files."""

    @dagster.op(name=STEP, config_schema=_CONFIG)
    def run_pipeline(context: dagster.OpExecutionContext) -> None:
        _run(context, settings, steps, None, _Recorder(context, described))

    @dagster.job(
        name=JOB,
        executor_def=dagster.in_process_executor,
        description="Import, transform, audit, publish, export.",
        metadata=of_job(settings.name, accepted),
        tags=described.run_tags,
    )
    def main() -> None:
        run_pipeline()

    return main


class _Recorder:
    """Turns the steps of a run into Dagster's events."""

    def __init__(self, context: dagster.OpExecutionContext | dagster.AssetExecutionContext, described: Described) -> None:
        self.run: Run | None = None
        self.checks: list[dagster.AssetCheckResult] = []
        self._context = context
        self._described = described
        self._exported: list[dagster.AssetMaterialization] = []

    def __call__(self, step: StepResult) -> None:
        """Report a step; one that was reused says so itself, without a line in the log."""
        if step.result != "reused":
            self._context.log.info(_sentence(step))
        if step.step in ("import", "build") and step.result in ("rebuilt", "reused"):
            self._made(step)
        elif step.step == "check" and step.result != "skipped":
            self._checked(step)
        elif step.step == "export" and self._described.keys.export(step.name) in self._described.exports:
            self._exported.append(dagster.AssetMaterialization(self._described.keys.export(step.name), metadata={**of_step(step)}))

    def stopped(self) -> None:
        """Tell of a run that was stopped whether it had published, for the history has no line for that."""
        if self.run is not None and self.run.published:
            self._context.instance.add_run_tags(self._context.run.run_id, {PUBLISHED_TAG: "true"})

    def finish(self) -> None:
        """Report the exports, if the run came to where readers have them, and that files were left out; however the run ended."""
        if self.run is None:
            return
        for event in self._exported if self.run.published else ():
            self._context.log_event(event)
        if self.run.skipped:
            self._context.instance.add_run_tags(self._context.run.run_id, {PARTIAL_TAG: "true"})

    def _made(self, step: StepResult) -> None:
        key = self._described.keys.table(step.name)
        node = self._described.tables.get(key)
        # A table whose file came after Dagster read the project is told as far as it is known.
        shown = self._shown(node) if node is not None else {}
        metadata = {TABLE: dagster.MetadataValue.text(step.name)} | of_step(step) | shown
        self._context.log_event(dagster.AssetMaterialization(key, metadata=metadata))

    def _shown(self, node: Node) -> dict[str, dagster.MetadataValue]:
        """Return columns, preview and chart of a table: those of the last time if it is what it was then."""
        if self.run is None:
            return {}
        version = self.run.version(node.name)
        before = self._last_shown.get(self._described.keys.table(node.name), {})
        if before.get(VERSION) == dagster.MetadataValue.text(version):
            return {key: before[key] for key in (*LOOKS, VERSION) if key in before}
        return {**of_table(self.run, node.name, chart=node.layer == "final"), VERSION: dagster.MetadataValue.text(version)}

    @functools.cached_property
    def _last_shown(self) -> dict[dagster.AssetKey, Mapping[str, dagster.MetadataValue]]:
        """What the history says of every table, asked for at once."""
        events = self._context.instance.get_latest_materialization_events(list(self._described.tables))
        found = {key: event.asset_materialization for key, event in events.items() if event is not None}
        return {key: materialization.metadata for key, materialization in found.items() if materialization is not None}

    def _checked(self, step: StepResult) -> None:
        spec = self._described.checks.get(step.name)
        if spec is None:
            return
        self.checks.append(
            dagster.AssetCheckResult(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=step.result != "failed",
                metadata={**of_step(step)},
                severity=dagster.AssetCheckSeverity.ERROR,
            )
        )


def _run(
    context: dagster.OpExecutionContext | dagster.AssetExecutionContext,
    settings: Settings,
    steps: Sequence[StepFunction],
    selection: Selection | None,
    recorder: _Recorder,
) -> None:
    config = context.op_execution_context.op_config if isinstance(context, dagster.AssetExecutionContext) else context.op_config
    left = settings.dagster.retries - context.retry_number
    options = RunOptions(
        full=config["full"],
        parameters=_parameters(config["parameters"]),
        lock_timeout=math.inf,  # a run of the page waits its turn, and can be seen waiting
        selection=selection,
        on_step=recorder,
        tried_again=left > 0,
        link=_link(context.run.run_id),
    )
    try:
        with open_run(settings.project, options) as run:
            recorder.run = run
            for step in steps:
                step(run)
    except Exception as error:  # the person's own code raises whatever it likes
        if left > 0 and may_pass(error):
            # A policy of Dagster waits 10, 30 and 70 seconds where each wait is to be twice the one before.
            wait = settings.dagster.retry_delay * 2.0**context.retry_number
            raise dagster.RetryRequested(settings.dagster.retries, wait) from error
        if isinstance(error, PdbtError):
            raise dagster.Failure(str(error), allow_retries=False) from error
        raise
    except BaseException:  # Dagster's interrupt is no Exception
        recorder.stopped()
        raise
    finally:
        recorder.finish()


def _selection(context: dagster.AssetExecutionContext, described: Described) -> Selection | None:
    """Return what was chosen on the page; None when that is the whole project."""
    chosen = context.selected_asset_keys
    if context.run.asset_selection is None and context.run.asset_check_selection is None:
        return None
    if chosen >= {spec.key for spec in described.assets}:
        return None
    checks = {name for name, spec in described.checks.items() if spec.key in context.selected_asset_check_keys}
    return Selection(
        tables=frozenset(node.name for key, node in described.tables.items() if key in chosen),
        checks=frozenset(checks),
        publishes=any(key in chosen for key in described.exports),
    )


def _link(run_id: str) -> str:
    """Return the page of a run; empty when this process belongs to no instance that says where its page is."""
    try:
        port = int(json.loads(pid_file_of(Path(os.environ[DAGSTER_HOME])).read_text(encoding="utf-8"))["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"{page_url(port)}/runs/{run_id}"


def _parameters(values: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items())


def _sentence(step: StepResult) -> str:
    rows = "" if step.rows is None else f", {step.rows:,} rows"
    why = f" ({step.reason})" if step.reason else ""
    return f"{step.step} {step.name}: {step.result}{rows} in {step.seconds:.2f} s{why}"
