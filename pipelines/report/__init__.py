"""The report of one as-of date: a self-contained HTML page and its charts, read from the analysts' copy.

What belongs here: the page's sections (`sections/`, one module each: a query, what it says, its chart and its
table), the canvas of the charts (`charts`), drawings that sections share (`drawings`), the words of both
languages (`wording`) and the page itself (`page`, `templates/`), which benchmarks fill with sections of their
own. What does not: computing KPIs. A section shows what the published tables say, so that an analyst who runs
its query sees the same figures.

Importing the package is cheap; what draws is loaded when a report is written.
"""

from pipelines.report.wording import PolicyWords
from pipelines.report.writing import Report, write_report

__all__ = ["PolicyWords", "Report", "write_report"]
