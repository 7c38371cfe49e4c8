"""Makes the page of a job's report.

`document` puts the page together. `figures` draws the figures about a job with the `charts` of any numbers, on the axes of `scales`, and
`verdict` says in words how good the model is.
"""

from textgen.portable.report_page.document import Report, make_report

__all__ = ["Report", "make_report"]
