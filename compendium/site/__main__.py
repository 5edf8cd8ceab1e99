"""python -m compendium.site [FOLDER]: build the pages of a folder of reports, one of pipeline.yaml's.

Those of the main report have the API reference beside them.
"""

import sys
from pathlib import Path

from arvae import paths
from compendium.site import SiteError, build, reference

if __name__ == "__main__":
    reports = Path(sys.argv[1] if len(sys.argv) > 1 else "reports").resolve()
    home = paths.root(reports)
    if reports == home / "reports" and home == paths.project(home):
        reference.write(reports / "pages" / "api")
    try:
        print(build(home, reports=reports.relative_to(home)).to_string(index=False))
    except SiteError as error:
        sys.exit(str(error))
