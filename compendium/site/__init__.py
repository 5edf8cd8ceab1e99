"""The site: executed notebooks as pages in reports/pages; one of them, 0_index, is the front page.

Everything works offline and without scripts: no file of another host is asked for, equations are MathML,
code is folded by <details>. A link to nothing, a picture that is missing or has no alt text, or a page too
large fails the build. `python -m compendium.site [reports]` builds it.
"""

import sys

# A check of addresses that jsonschema imports where there is one: no page needs it, and it takes seconds.
sys.modules.setdefault("rfc3987_syntax", None)
from compendium.site.building import build, contents
from compendium.site.checking import SiteError, check
from compendium.site.sliders import sliders

__all__ = ["SiteError", "build", "check", "contents", "sliders"]
