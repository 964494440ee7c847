"""The KPIs of the method and a study's own, each in the definition that its data carry or its study.toml chooses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cxkit.errors import ParameterError, StudyError, nearest
from cxkit.measures.declared.calls import calls
from cxkit.measures.declared.demand import demand, self_service
from cxkit.measures.declared.given import Given, Rivals
from cxkit.measures.declared.outcomes import outcomes
from cxkit.measures.declared.promises import promises
from cxkit.measures.declared.quality import quality
from cxkit.measures.declared.satisfaction import satisfaction
from cxkit.measures.declared.speed import reply_times, resolution_times
from cxkit.measures.declared.worth import worth
from cxkit.measures.kinds import FAMILIES, Measure
from cxkit.measures.own import own_measures
from cxkit.measures.targets import check_targets

if TYPE_CHECKING:
    from cxkit.study import Study

_DECLARED = (
    satisfaction,
    reply_times,
    resolution_times,
    promises,
    outcomes,
    calls,
    demand,
    self_service,
    quality,
    worth,
)
_ONLY = "default"  # the name of a definition that has no rival


class Measures(dict[str, Measure]):
    """Measures by id; an id that is none is refused with the nearest one."""

    def __missing__(self, kpi: str) -> Measure:
        raise ParameterError("kpi_unknown", kpi=str(kpi)[:40], near=nearest(kpi, self) or "none", known=", ".join(self))


def registry(study: Study | None = None, extra: Iterable[Measure] = ()) -> Measures:
    """Measures by id, family by family: those of the method, those of `[kpis]` in study.toml, and `extra`.

    With a study: its scales (`[scales.csat]` with low, high, top), `ces_version` ("1.0" or "2.0"), promises, thresholds
    of calls and retention, its promised times (the threshold of "within"), and of each KPI the definition that
    `[definitions]` names, or the first one that its columns can carry.
    """
    method = _method(study)
    chosen = [_chosen(study, kpi, rivals) for kpi, rivals in method.items()]
    found = Measures((measure.id, measure) for measure in sorted(chosen, key=_place))
    for measure in (*own_measures(study), *extra):
        if measure.id in found:
            raise StudyError("own_kpi_taken", kpi=measure.id[:40])
        found[measure.id] = measure
    _check_definitions(study, method)
    check_targets(study, found)
    return found


def rivals(study: Study | None, kpi: str) -> Mapping[str, Measure]:
    """All definitions of a KPI that the method knows, the one that `registry` returns first; by name of definition."""
    method = _method(study)
    if kpi not in method:
        return {_ONLY: registry(study)[kpi]}
    first = _chosen(study, kpi, method[kpi])
    return {_named(measure): measure for measure in (first, *method[kpi])}


def _method(study: Study | None) -> dict[str, Rivals]:
    given = Given(study)
    return {rivals[0].id: rivals for family in _DECLARED for rivals in family(given)}


def _place(measure: Measure) -> int:
    return FAMILIES.index(measure.family)


def _named(measure: Measure) -> str:
    return measure.variant or _ONLY


def _chosen(study: Study | None, kpi: str, rivals: Rivals) -> Measure:
    """The definition that study.toml names; else the first one."""
    wanted = study.config.get("definitions", {}).get(kpi) if study is not None else None
    if wanted is None:
        return rivals[0]
    by_name = {_named(measure): measure for measure in rivals}
    if wanted not in by_name:
        near = nearest(wanted, by_name) or "none"
        raise StudyError("definition_unknown", kpi=kpi, given=str(wanted)[:40], near=near, known=", ".join(by_name))
    return by_name[wanted]


def _check_definitions(study: Study | None, method: Mapping[str, Rivals]) -> None:
    for kpi in study.config.get("definitions", {}) if study is not None else ():
        if kpi not in method:
            raise StudyError(
                "definition_of_none", kpi=kpi[:40], near=nearest(kpi, method) or "none", known=", ".join(method)
            )
