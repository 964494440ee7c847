"""The KPIs of a real call centre (a bank's queue in February 1999), each against a sum over the file itself."""

from __future__ import annotations

import pandas as pd
import pytest

from cxkit.measures import estimates, registry, rivals
from cxkit.measures.estimate import closed_only
from cxkit.study import new_study, open_study

pytestmark = pytest.mark.real

WITHIN, SHORT = 20, 5  # seconds


@pytest.fixture(scope="module")
def bank(real_data, tmp_path_factory):
    file = real_data / "anonymous_bank" / "data_anonymous_bank_february.txt"
    folder = new_study("bank", [file], into=tmp_path_factory.mktemp("bank"), time_zone="Asia/Jerusalem")
    with (folder / "study.toml").open("a", encoding="utf-8") as settings:
        settings.write(f"\n[calls]\nanswer_within_seconds = {WITHIN}\nshort_abandon_seconds = {SHORT}\n")
    return open_study(folder)


@pytest.fixture(scope="module")
def calls(real_data):
    """The file, read by nothing of ours: answered or left, and seconds in the queue."""
    found = pd.read_csv(real_data / "anonymous_bank" / "data_anonymous_bank_february.txt", sep=r"\s+")
    offered = found[found["outcome"].isin(["AGENT", "HANG"])]
    return pd.DataFrame({"left": offered["outcome"].eq("HANG"), "wait": offered["q_time"]})


def test_five_formulas_of_one_service_level_differ_by_ten_points_and_more(bank, calls):
    """Formulas of kpis.md K12; 58.7, 59.7, 49.0, 54.3, 55.6 and 52.4 % on the same calls (AN 27,162, AB 5,904)."""
    answered, quick = ~calls["left"], calls["wait"] <= WITHIN
    soon, short = answered & quick, calls["left"] & (calls["wait"] < SHORT)
    of = len(calls)
    expected = {
        "drop_short": soon.sum() / (of - short.sum()),
        "with_abandons": quick.sum() / of,
        "answered_only": soon.sum() / answered.sum(),
        "all_offered": soon.sum() / of,
        "late_abandons": soon.sum() / (of - (calls["left"] & quick).sum()),
        "short_as_kept": (soon.sum() + short.sum()) / of,
    }
    assert {name: round(float(share), 3) for name, share in expected.items()} == {
        "drop_short": 0.524,
        "with_abandons": 0.587,
        "answered_only": 0.597,
        "all_offered": 0.490,
        "late_abandons": 0.543,
        "short_as_kept": 0.556,
    }
    found = {name: estimates(bank, measure)["value"].iloc[0] for name, measure in rivals(bank, "service_level").items()}
    assert found == pytest.approx(expected, abs=1e-12)


def test_abandonment_and_speed_of_answer_are_those_of_the_file(bank, calls):
    """17.9 % and 40.8 s; without short abandons the former falls to 12.1 %."""
    kpis = registry(bank)
    short = calls["left"] & (calls["wait"] < SHORT)
    lost = (calls["left"].sum() - short.sum()) / (len(calls) - short.sum())
    assert estimates(bank, kpis["abandonment"])["value"].iloc[0] == pytest.approx(lost, abs=1e-12)
    asa = calls.loc[~calls["left"], "wait"].mean()
    assert estimates(bank, kpis["asa"])["value"].iloc[0] == pytest.approx(asa, abs=1e-9)
    assert (round(calls["left"].mean(), 3), round(lost, 3), round(asa, 1)) == (0.179, 0.121, 40.8)


def test_callers_are_far_more_patient_than_the_wait_of_those_who_left(bank, calls):
    """Those who were answered would have waited longer: Kaplan-Meier, here against lifelines, beside the naive mean.

    66 s is the mean wait of those who left a queue they had entered; of the first ten minutes, callers would wait 315 s
    on average, and half of them longer than 280 s.
    """
    lifelines = pytest.importorskip("lifelines")
    waited = calls[calls["wait"] > 0]
    fitted = lifelines.KaplanMeierFitter().fit(waited["wait"], waited["left"])
    patience = registry(bank)["patience"]
    found = estimates(bank, patience).set_index("stat")["value"]
    assert found["median"] == fitted.median_survival_time_
    capped = lifelines.utils.restricted_mean_survival_time(fitted, t=patience.horizon_seconds)
    assert found["capped_mean"] == pytest.approx(capped, rel=1e-9)
    naive = closed_only(bank, patience).set_index("stat")["value"]
    assert waited.loc[waited["left"], "wait"].mean() == pytest.approx(66.05, abs=0.01)
    assert naive["capped_mean"] == pytest.approx(waited.loc[waited["left"], "wait"].clip(upper=600).mean(), abs=1e-9)
    assert (round(found["median"]), round(found["capped_mean"])) == (280, 315)
