"""Folders of a checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"  # one file for each language
EMBEDDED = ROOT / "model_runtime" / "embedded"
