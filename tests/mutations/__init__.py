"""Faults that an exporter can make without any error, one function each, and whether they show."""

from tests.mutations import constants, declared, quantized, structure, wiring
from tests.mutations.mutant import TABLE, Mutation

__all__ = ["TABLE", "Mutation", "constants", "declared", "quantized", "structure", "wiring"]
