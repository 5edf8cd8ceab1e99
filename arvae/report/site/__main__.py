"""python -m arvae.report.site [FOLDER]: build the pages of a folder of reports, one of pipeline.yaml's."""

import sys
from pathlib import Path

from arvae import paths
from arvae.report.site import SiteError, build

if __name__ == "__main__":
    reports = Path(sys.argv[1] if len(sys.argv) > 1 else "reports").resolve()
    home = paths.root(reports)
    try:
        print(build(home, reports=reports.relative_to(home)).to_string(index=False))
    except SiteError as error:
        sys.exit(str(error))
