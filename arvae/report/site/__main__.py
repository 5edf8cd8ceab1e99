"""python -m arvae.report.site [reports | studies/reports]: build the pages of a folder of reports."""

import sys

from arvae.report.site import SiteError, build

if __name__ == "__main__":
    try:
        print(build(reports=sys.argv[1] if len(sys.argv) > 1 else "reports").to_string(index=False))
    except SiteError as error:
        sys.exit(str(error))
