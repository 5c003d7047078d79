"""The pipeline that a Python file defines."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from ..engine.errors import MissingLibrary, PdbtError
from ..engine.process.libraries import is_installed
from .executor import PipelineExecutor

PIPELINE = "pipeline"


def load_pipeline(file: Path) -> PipelineExecutor:
    """Run a Python file, and return its `pipeline`: a PipelineExecutor, or a function that returns one.

    The file's folder is where it finds its modules, as when it is run as a script.

    Raises:
        PdbtError: there is no such file, it fails, or has no pipeline.
    """
    if not file.is_file():
        raise PdbtError(f"There is no file {file}.", "Name the Python file that has the pipeline.")
    found = getattr(_run(file.resolve()), PIPELINE, None)
    if callable(found) and not isinstance(found, PipelineExecutor):
        try:
            found = found()
        except PdbtError:
            raise
        except Exception as error:
            raise _failed(file, error) from error
    if not isinstance(found, PipelineExecutor):
        what = f"{PIPELINE} is {type(found).__name__}" if found is not None else f"there is no {PIPELINE}"
        raise PdbtError(f"{file}: {what}.", f"Write: {PIPELINE} = PipelineExecutor(…), or a function {PIPELINE}() that returns one.")
    found.rules = replace(found.rules, file=str(file.resolve()))  # dead letters say where they come from
    return found


def _run(file: Path) -> ModuleType:
    name = f"pdbt_pipeline_{file.stem}".replace("-", "_")
    if not is_installed("cloudpickle"):
        raise MissingLibrary("cloudpickle", "A pipeline that is served")
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PdbtError(f"{file} is no Python file.", "Name a file that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    try:
        import cloudpickle

        # The workers have no module of this name: its classes travel with the handlers.
        sys.modules[name] = module
        cloudpickle.register_pickle_by_value(module)
        spec.loader.exec_module(module)
    except PdbtError:
        raise
    except (Exception, SystemExit) as error:
        raise _failed(file, error) from error
    return module


def _failed(file: Path, error: BaseException) -> PdbtError:
    lines = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file.resolve()):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    where = f" line {lines[-1]}" if lines else ""
    return PdbtError(f"{file}{where}: {type(error).__name__}: {error}.", "Mend the file; it is run to find its pipeline.")
