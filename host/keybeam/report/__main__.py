"""Print ``docs/result.md``, the description of ``result.json``."""

from keybeam.report.result import schema_table

_HEAD = """\
# `result.json`

What `keybeam pass --out DIR` writes beside `report.html`. Counts and bits are whole numbers;
error rates are fractions, not per cent. The tables are written by `make docs` from the code that
writes the file.

"""

print(_HEAD + schema_table(), end="")
