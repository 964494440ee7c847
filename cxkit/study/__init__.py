"""A study: a folder of exports with `study.toml`, opened as canonical tables."""

from cxkit.study.begin import new_study
from cxkit.study.load import load_tables
from cxkit.study.open import Study, find_study, kit_folder, newest, open_study
from cxkit.study.prepare import account_of, prepare, source_digest
from cxkit.study.settings import read_settings

__all__ = [
    "Study",
    "account_of",
    "find_study",
    "kit_folder",
    "load_tables",
    "new_study",
    "newest",
    "open_study",
    "prepare",
    "read_settings",
    "source_digest",
]
