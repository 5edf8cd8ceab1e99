"""AR-VAE: variational auto-encoders whose latent dimensions each carry one attribute you can name.

A reproducible compendium of Pati & Lerch, "Attribute-based Regularization of Latent Spaces for
Variational Auto-Encoders" (2020, doi 10.1007/s00521-020-05270-2).
"""

import os

#: The process that started this one, asked for before anything slow is imported (see arvae/notebook.py).
STARTED_BY = os.getppid()
__version__ = "0.1.0"
