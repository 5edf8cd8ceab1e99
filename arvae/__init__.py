"""AR-VAE: variational auto-encoders in which a chosen latent dimension carries a chosen attribute.

A reproducible compendium of Pati & Lerch, "Attribute-based Regularization of Latent Spaces for
Variational Auto-Encoders" (2020, doi 10.1007/s00521-020-05270-2). Where to find what: docs/architecture.md.
"""

from arvae.interrupts import in_commands

__all__ = [
    "datasets",  # load, prepare
    "evaluation",
    "losses",  # the formulas of the paper
    "metrics",  # evaluate
    "models",
    "music",
    "params",  # load params.yaml, setups
    "trained",  # TrainedModel
    "training",  # train
]
__version__ = "1.0.0"

in_commands()
