"""The site: executed notebooks as pages in reports/pages and reports/index.html, which leads through them.

Everything works offline and without scripts: no file of another host is asked for, equations are MathML,
code is folded by <details>. Numbers on the front page are read from reports/metrics and data/published.
A link to nothing, a picture that is missing or has no alt text, or a page too large fails the build.
"""

from arvae.report.site.building import build
from arvae.report.site.checking import SiteError, check

__all__ = ["SiteError", "build", "check"]
