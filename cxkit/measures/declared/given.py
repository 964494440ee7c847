"""What a study gives to the declarations: which columns its data hold, and what study.toml says about KPIs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cxkit.measures.kinds import Measure

if TYPE_CHECKING:
    from cxkit.study import Study

Rivals = tuple[Measure, ...]  # definitions of one KPI, the default first
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Given:
    """A study, or none: then every column of the contract is taken to be there, and nothing is set."""

    study: Study | None = None

    def offers(self, table: str, *columns: str) -> bool:
        """Whether the data have `columns` of `table`, none of them empty."""
        return self.study is None or self.study.has(table, *columns)

    def settings(self, part: str) -> Mapping[str, Any]:
        """What study.toml says under `[part]`; empty where it says nothing."""
        found: Mapping[str, Any] = self.study.config.get(part, {}) if self.study is not None else {}
        return found

    def setting(self, part: str, name: str, default: Any) -> Any:
        """One setting under `[part]`, or `default`."""
        return self.settings(part).get(name, default)

    def aim(self, kpi: str, promised: float | None = None) -> dict[str, Any]:
        """The promised time of a duration, and the share that is to be within it, from `[targets]`; else `promised`."""
        target = self.study.targets.get(kpi) if self.study is not None else None
        if isinstance(target, Mapping):
            return {"target_seconds": target["within"], "target_share": target["share"]}
        return {"target_seconds": promised if target is None else target}


def default_first(rivals: Rivals, variant: str) -> Rivals:
    """`rivals` with the one called `variant` in front."""
    return tuple(sorted(rivals, key=lambda measure: measure.variant != variant))


def as_length(seconds: float) -> str:
    """A length of time as conditions write it.

    >>> as_length(14_400), as_length(172_800), as_length(90)
    ('hours(4)', 'days(2)', 'minutes(1.5)')
    """
    for unit, size in (("days", 86_400), ("hours", 3_600)):
        if seconds and seconds % size == 0:
            return f"{unit}({seconds / size:g})"
    return f"minutes({seconds / 60!r})" if seconds % 60 else f"minutes({seconds / 60:g})"
