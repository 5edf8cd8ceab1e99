"""`python -m arvae.params`: say whether params.yaml is sound."""

import sys

from arvae.params import ParamsError, load

try:
    params = load()
except ParamsError as error:
    sys.exit(str(error))
print(f"params.yaml is sound: scale {params.scale}, {len(params.setups)} setups, seeds {list(params.seeds)}")
