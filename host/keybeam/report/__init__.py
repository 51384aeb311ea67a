"""Results of a pass as JSON, and the page that shows them."""

from keybeam.report.page import render_page
from keybeam.report.result import PassResult, ResultFileError, read_result, schema_table

__all__ = ["PassResult", "ResultFileError", "read_result", "render_page", "schema_table"]
