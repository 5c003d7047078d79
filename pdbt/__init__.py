"""pdbt, the Python data build tool: files and databases into a pipeline that runs, is watched and can be queried."""

__version__ = "0.1.0"
