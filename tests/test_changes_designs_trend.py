"""A change in one series, of a study, a table or a finished series: against R's gls, by planted truth, in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import SmallStudy, small_study

import cxkit as cx
from calibration.series import sticky_noise
from cxkit.changes.lines import ground
from cxkit.changes.steps import WEEK, Grid, settled_until
from cxkit.changes.trend import trend_change
from cxkit.changes.trend_finding import TrendFinding
from cxkit.errors import CxkitError, ParameterError
from cxkit.lang import LANGS
from cxkit.stats import SeriesModel, indicator_columns, series_change

ORACLES = Path(__file__).parent / "fixtures" / "oracles"
CHANGE = pd.Timestamp("2026-03-01")
SOLVED = cx.Share("solved", where="solved", at="opened_at", better="higher")


def seatbelts() -> pd.Series:
    table = pd.read_csv(ORACLES / "seatbelts.csv")
    return pd.Series(table["drivers"].to_numpy(), index=pd.period_range("1969-01", periods=192, freq="M"))


def nile() -> pd.Series:
    return pd.Series(pd.read_csv(ORACLES / "nile.csv")["flow"].to_numpy(), index=range(1871, 1971))


def tickets(
    days: int = 120, a_day: float = 40, lift: float = 0.0, slide: float = 0.0, seed: int = 1, start: str = "2026-01-01"
) -> pd.DataFrame:
    """Tickets of which 70% are solved, `lift` more from March on, and `slide` more over the whole stretch anyway."""
    rng = np.random.default_rng(seed)
    first = pd.Timestamp(start)
    n = rng.poisson(a_day, days)
    day = np.repeat(np.arange(days), n)
    opened = first + pd.to_timedelta(day * 86_400 + rng.integers(0, 86_400, len(day)), unit="s")
    chance = 0.7 + lift * (opened >= CHANGE) + slide * day / days
    return pd.DataFrame({"opened_at": opened, "solved": rng.random(len(day)) < chance})


def frame_of(series: np.ndarray, start: str = "2025-12-01") -> pd.Series:
    return pd.Series(series, index=pd.date_range(start, periods=len(series), freq="D"))


# --- numbers of other tools ---


def test_seatbelts_end_to_end_are_those_of_r():
    """R nlme: gls(log10(drivers) ~ law + t + month, corAR1()): -0.0748973311; as a factor 10^that, 15.8% fewer."""
    found = trend_change(seatbelts(), "drivers", "1983-02-01", season="month", log=True, better="lower")
    assert found.effect is not None
    assert found.effect.found.value == pytest.approx(10**-0.0748973311 - 1, rel=1e-6)
    assert float(found.change.fit.gls_se[0]) / np.log(10) == pytest.approx(0.0172578385, rel=1e-6)
    assert float(found.change.fit.rho) == pytest.approx(0.5317093676, abs=1e-6)
    assert found.code == "improved"
    assert found.effect.unit == "relative"


def test_nile_end_to_end_is_that_of_r():
    """R nlme 3.1: gls(flow ~ post 1899 + t, corAR1(), REML) gives -283.9189430, SE 53.9116559."""
    found = trend_change(nile(), "flow", 1899)
    assert found.effect.found.value == pytest.approx(-283.9189430, rel=1e-7)
    assert float(found.change.fit.gls_se[0]) == pytest.approx(53.9116559, rel=2e-7)
    assert (found.code, found.sure) == ("changed", True)
    assert "since 1899" in found.verdict("en")


def test_the_t_test_that_it_replaces_is_that_of_scipy():
    """scipy.stats.ttest_ind(equal_var=False) on the years before and after."""
    from scipy import stats

    theirs = stats.ttest_ind(nile().loc[1899:], nile().loc[:1898], equal_var=False)
    found = trend_change(nile(), "flow", 1899)
    assert (found.naive.id, found.naive.p) == ("t_test_steps", pytest.approx(theirs.pvalue, rel=1e-9))


# --- planted truth ---


@pytest.mark.parametrize("lift", [-0.15, 0.0, 0.15])
def test_a_planted_shift_is_found_and_a_trend_is_not_mistaken_for_it(lift: float) -> None:
    """The share rises by ten points over the stretch whatever happens; the t test on days takes that for a change."""
    found = trend_change(tickets(slide=0.1, lift=lift), SOLVED, CHANGE)
    low, high = found.effect.found.low, found.effect.found.high
    assert low < lift < high
    assert found.code == {-0.15: "worsened", 0.0: "no_evidence", 0.15: "improved"}[lift]
    if lift == 0:
        assert found.naive.p < 0.01 < found.p


def test_verdicts_of_services_without_a_change_are_seldom_false():
    """60 services with sticky days and a trend: 5% false alarms are three; the t test errs in most of them."""
    rng = np.random.default_rng(5)
    ours = theirs = 0
    for _ in range(60):
        y = sticky_noise(rng, 0.4, (112,)) + 2 * np.arange(112) / 112
        found = trend_change(frame_of(y), "calls", "2026-01-26", season=(), placebo=False)
        ours += found.code == "changed"
        theirs += found.naive.p < 0.05
    assert ours <= 9, "the 99.9% bound of a binomial of 60 at 5%"
    assert theirs > 40


def test_numbers_of_arrivals_are_followed_in_logarithms_and_their_change_is_a_factor():
    rng = np.random.default_rng(3)
    day = np.repeat(
        np.arange(120), rng.poisson(np.where(np.arange(120) < 59, 60, 90) * (1 + 0.5 * (np.arange(120) % 7 < 5)))
    )
    opened = pd.Timestamp("2026-01-01") + pd.to_timedelta(day * 86_400 + 60, unit="s")
    found = trend_change(pd.DataFrame({"opened_at": opened}), cx.Count("volume", at="opened_at"), CHANGE)
    assert found.effect.unit == "relative"
    assert found.effect.found.low < 0.5 < found.effect.found.high
    assert found.naive.id == "poisson_z"
    assert found.table.set_index("group").loc["before", "value"] == pytest.approx(60 * (1 + 0.5 * 5 / 7), rel=0.05)
    assert "days" in found.plot(lang="en").figure.findobj(match=lambda a: a.get_label() == "days")[0].get_label()


def test_a_shock_that_befell_all_is_not_taken_for_the_change():
    """Both channels lose twenty points in March; only e-mail was changed, and gained ten."""
    one, two = tickets(lift=-0.1, seed=4), tickets(lift=-0.2, seed=5)
    both = pd.concat([one.assign(channel="email"), two.assign(channel="phone")])
    alone = trend_change(both, SOLVED, CHANGE, where="channel == 'email'")
    apart = trend_change(both, SOLVED, CHANGE, where="channel == 'email'", control="channel == 'phone'")
    assert alone.code == "worsened"
    assert apart.code == "improved"
    assert apart.effect.found.low < 0.1 < apart.effect.found.high
    assert (alone.design.manner, apart.design.manner) == ("since", "beyond")
    assert apart.checks[0].code == "control_series"


def test_volumes_beside_a_control_are_ratios():
    rng = np.random.default_rng(8)
    common = np.exp(0.3 * np.sin(np.arange(120) / 9))
    counts = {
        "email": rng.poisson(80 * common * np.where(np.arange(120) < 59, 1, 1.3)),
        "phone": rng.poisson(80 * common),
    }
    parts = []
    for channel, n in counts.items():
        opened = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.repeat(np.arange(120), n) * 86_400, unit="s")
        parts.append(pd.DataFrame({"opened_at": opened, "channel": channel}))
    found = trend_change(
        pd.concat(parts),
        cx.Count("n", at="opened_at"),
        CHANGE,
        where="channel == 'email'",
        control="channel == 'phone'",
    )
    assert found.effect.found.low < 0.3 < found.effect.found.high
    assert found.table.set_index("group").loc["before", "value"] == pytest.approx(1, abs=0.05)


# --- steps ---


def test_weeks_are_counted_from_the_change_and_none_straddles_it():
    """1 March 2026 is a Sunday: blocks run from Sunday to Saturday, whatever a calendar's week is."""
    found = trend_change(tickets(a_day=8), SOLVED, CHANGE)
    steps = found.steps
    assert steps.unit == "week", "eight tickets a day are too few for days"
    assert steps.label == CHANGE
    assert set(steps.table["step"].dt.day_name()) == {"Sunday"}
    assert (steps.table["step"].diff().dropna() == pd.Timedelta(days=7)).all()
    assert steps.table["step"].iloc[-1] + pd.Timedelta(days=6) <= pd.Timestamp("2026-04-30"), "no part of a week"


def test_the_values_of_weeks_are_those_of_their_rows():
    table = tickets(a_day=8)
    found = trend_change(table, SOLVED, CHANGE, freq="week")
    since = (table["opened_at"].dt.normalize() - CHANGE).dt.days // 7
    by_hand = table.groupby(since)["solved"].agg(["mean", "size"])
    ours = found.steps.table
    week = (ours["step"] - CHANGE).dt.days // 7
    assert ours["value"].to_numpy() == pytest.approx(by_hand.loc[week, "mean"].to_numpy())
    assert ours["n"].tolist() == by_hand.loc[week, "size"].tolist()


def test_the_day_within_which_the_change_came_is_nobodys():
    found = trend_change(tickets(), SOLVED, "2026-03-01 11:00")
    days = found.steps.table["step"]
    assert CHANGE not in set(days)
    assert found.steps.label == CHANGE + pd.Timedelta(days=1)
    assert len(days) == 119


def test_a_lone_ticket_of_last_year_does_not_stretch_the_series():
    """P13: a few rows that straggle in before the data begin are no service with empty days."""
    table = tickets()
    lone = pd.DataFrame({"opened_at": [pd.Timestamp("2025-03-01 10:00")], "solved": [True]})
    found = trend_change(pd.concat([lone, table]), SOLVED, CHANGE)
    assert found.steps.table["step"].iloc[0] == pd.Timestamp("2026-01-01")
    assert found.effect.found == trend_change(table, SOLVED, CHANGE).effect.found
    assert "changes.note.stragglers" in [note.key for note in found.notes]


def test_thin_days_are_gaps_and_said():
    table = tickets()
    thin = table["opened_at"].dt.normalize() == pd.Timestamp("2026-02-10")
    table = table[~thin | (np.arange(len(table)) == np.flatnonzero(thin)[0])]
    found = trend_change(table, SOLVED, CHANGE)
    row = found.steps.table.set_index("step").loc[pd.Timestamp("2026-02-10")]
    assert (row["n"], np.isnan(row["value"])) == (1, True)
    assert found.steps.left_out["thin"] == 1


@given(length=st.integers(1, 9), before=st.integers(0, 9), after=st.integers(0, 9), gap=st.integers(0, 1))
def test_a_grid_places_each_day_in_the_step_that_begins_before_it(
    length: int, before: int, after: int, gap: int
) -> None:
    grid = Grid(pd.Timestamp("2026-01-01"), length, before + after, before, gap)
    days = pd.date_range("2025-12-20", periods=120, freq="D")
    place, firsts = grid.place(days), grid.firsts
    for day, step in zip(days, place, strict=True):
        inside = [k for k, first in enumerate(firsts) if first <= day < first + pd.Timedelta(days=length)]
        assert inside == ([] if step < 0 else [step])


def test_days_whose_returns_cannot_be_known_yet_are_left_out():
    """A return within a week is known a week later; leaving out the undecided rows alone would bend the end."""
    back = cx.Share("return", where="solved", at="opened_at", follow_up_days=7)
    table = tickets()
    found = trend_change(table, back, CHANGE, as_of="2026-05-01")
    assert found.steps.table["step"].iloc[-1] == pd.Timestamp("2026-04-23")
    assert found.steps.settled == pd.Timestamp("2026-04-23")


def test_waits_end_a_horizon_before_the_data_do():
    """Open tickets of the last days would make them look fast if only the finished ones counted."""
    table = tickets(days=100)
    rng = np.random.default_rng(2)
    table["closed_at"] = table["opened_at"] + pd.to_timedelta(rng.exponential(36, len(table)) * 3600, unit="s")
    as_of = pd.Timestamp("2026-04-11")
    table.loc[table["closed_at"] > as_of, "closed_at"] = pd.NaT
    wait = cx.Duration("wait", start="opened_at", stop="closed_at", better="lower")
    found = trend_change(table, wait, CHANGE, horizon="48 h", as_of=as_of)
    assert found.steps.table["step"].iloc[-1] == pd.Timestamp("2026-04-08")
    assert found.code == "no_evidence"
    mean = 36 * (1 - np.exp(-48 / 36)) * 3600  # of an exponential, capped
    assert found.table.set_index("group").loc["after", "value"] == pytest.approx(mean, rel=0.05)
    closed = table.dropna().assign(hours=lambda t: (t["closed_at"] - t["opened_at"]).dt.total_seconds() / 3600)
    last = closed[closed["opened_at"] >= "2026-04-09"]["hours"].mean()
    assert last < 0.7 * mean / 3600, "the finished ones of the last two days look fast"


def test_a_day_of_open_waits_is_the_kaplan_meier_mean_of_its_rows():
    """lifelines-free check by hand: 10, 20 and 40 hours, one left open at 15; capped at 30: 10 + 10*3/4 + 10*3/8."""
    from cxkit.changes.estimands import Estimand
    from cxkit.changes.steps import values_by

    lines = pd.DataFrame({"value": [10.0, 20.0, 40.0, 15.0], "observed": [True, True, True, False], "n": 1.0})
    wait = cx.Duration("wait", start="a_at", stop="b_at")
    told = Estimand("capped_mean", "seconds", "seconds", "lower", 30.0)
    value, n = values_by(told, wait, lines, np.zeros(4, int), 2)
    assert value[0] == pytest.approx(10 + 10 * 3 / 4 + 10 * 3 / 8)
    assert (np.isnan(value[1]), n.tolist()) == (True, [4.0, 0.0])


def test_settled_days_are_counted_on_the_clock_of_the_measure(tmp_path: Path) -> None:
    """Eight open hours a day, closed on weekends: sixteen open hours before Monday evening lies Thursday."""
    calendar = {"hours": "09:00-17:00", "weekend": ["saturday", "sunday"]}
    study = small_study(tmp_path, "2026-04-06 17:00", {"tickets": tickets()}, config={"calendar": calendar})
    wait = cx.Duration("wait", start="opened_at", stop="closed_at", clock="business")
    from cxkit.changes.estimands import Estimand

    told = Estimand("capped_mean", "seconds", "seconds", "lower", 16 * 3600.0)
    assert settled_until(ground(study), wait, told) == pd.Timestamp("2026-04-02")


# --- what days had ---


def service(folder: Path, table: pd.DataFrame, as_of: str = "2026-05-01", **settings: Any) -> SmallStudy:
    named = table.assign(ticket_id=[f"T{i}" for i in range(len(table))])
    return small_study(folder, as_of, {"tickets": named}, **settings)


def test_a_study_and_its_table_give_the_same_finding(tmp_path: Path) -> None:
    table = tickets(lift=0.1)
    ours = trend_change(service(tmp_path, table), SOLVED, CHANGE, special_days=False)
    theirs = trend_change(table, SOLVED, CHANGE)
    assert ours.effect.found == theirs.effect.found
    assert ours.steps.table.equals(theirs.steps.table)


def test_ramadan_is_not_mistaken_for_a_change(tmp_path: Path) -> None:
    """Umm al-Qura: Ramadan 1447 ran from 18 February to 19 March 2026; fewer are solved in it, and nothing else."""
    table = tickets(days=180, start="2025-12-01")
    fasting = table["opened_at"].between("2026-02-18", "2026-03-20")
    table.loc[fasting & (np.random.default_rng(1).random(len(table)) < 0.3), "solved"] = False
    study = service(tmp_path, table, "2026-06-01")
    knowing = trend_change(study, SOLVED, "2026-02-18")
    blind = trend_change(study, SOLVED, "2026-02-18", special_days=False)
    assert knowing.code == "no_evidence"
    assert abs(blind.effect.found.value) > abs(knowing.effect.found.value)
    assert "ramadan" in [w.code.rpartition(".")[2] for w in knowing.method.because[-1].params["names"].words]


def test_what_came_with_the_change_is_named_as_hidden(tmp_path: Path) -> None:
    """All days after the change lie in Ramadan: nothing can tell the one from the other."""
    table = tickets(days=106, start="2025-12-01")  # to 16 March
    found = trend_change(service(tmp_path, table, "2026-03-17"), SOLVED, "2026-02-18")
    hidden = next(check for check in found.checks if check.code == "hidden")
    assert hidden.level == "warn"
    assert "Ramadan" in hidden.sentence.text("en")


def test_an_analysts_own_days_are_taken_out():
    """A sale of three days after the change, on which hardly anything is solved."""
    table = tickets()
    sale = pd.date_range("2026-03-10", periods=3, freq="D")
    table.loc[table["opened_at"].dt.normalize().isin(sale), "solved"] = False
    with_it = trend_change(table, SOLVED, CHANGE, special_days=pd.DataFrame({"day": sale, "sale": 1}))
    without = trend_change(table[~table["opened_at"].dt.normalize().isin(sale)], SOLVED, CHANGE)
    assert with_it.effect.found.value == pytest.approx(without.effect.found.value, abs=0.01)
    assert "sale" in with_it.method.because[-1].sentence.text("en")


def test_closed_days_are_known_from_the_clock(tmp_path: Path) -> None:
    """A week of closed days after the change brings hardly any tickets; the week itself is always open."""
    table = tickets()
    shut = table["opened_at"].between("2026-04-06", "2026-04-11")
    table = table[~shut | (np.random.default_rng(0).random(len(table)) < 0.1)]
    closed = {"from": pd.Timestamp("2026-04-06").date(), "until": pd.Timestamp("2026-04-10").date(), "hours": "closed"}
    calendar = {"hours": {"every_day": "00:00-24:00"}, "days": [closed]}
    study = service(tmp_path, table, config={"calendar": calendar})
    volume = cx.Count("volume")
    knowing, blind = (trend_change(study, volume, CHANGE, special_days=flag) for flag in (True, False))
    assert "closed days" in knowing.method.because[-1].sentence.text("en")
    assert knowing.code == "no_evidence"
    assert knowing.effect.found.se < blind.effect.found.se


def test_other_changes_of_the_study_are_told(tmp_path: Path) -> None:
    study = service(tmp_path, tickets())
    changes = pd.DataFrame(
        {"change_id": ["a", "b", "c"], "happened_at": pd.to_datetime(["2026-03-01", "2026-03-20", "2027-01-01"])}
    )
    changes.astype({"happened_at": "datetime64[us]"}).to_parquet(study.folder / "changes.parquet")
    told = next(c for c in trend_change(_framed(study), SOLVED, CHANGE).checks if c.code == "other_changes")
    assert (told.level, told.params["n"]) == ("warn", 1)


def _framed(study: SmallStudy) -> SmallStudy:
    """The small study with the two readers of whole tables that a study has."""

    class Framed(SmallStudy):
        def frame(self, name: str, columns: Any = None) -> pd.DataFrame:
            found = self.table(name).to_pandas()
            return found[list(columns)] if columns else found

        def local(self, times: pd.Series) -> pd.Series:
            return times

    return Framed(**{f: getattr(study, f) for f in ("folder", "as_of", "time_zone", "targets", "config", "engine")})


# --- doubts ---


def test_a_series_that_wanders_carries_no_firm_verdict():
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(size=200))
    walk[100:] += 30
    found = trend_change(frame_of(walk), "calls", "2026-03-11", season=(), better="lower")
    assert found.code == "worsened"
    assert not found.sure
    assert found.doubts[0].code == "sticky"
    said = [s.key for s in found.sentences()]
    assert said[:2] == ["changes.verdict.worsened_doubtful", "changes.doubt.sticky"]
    assert "carries no firm verdict" in found.verdict("en")


def test_a_change_that_other_dates_show_as_well_is_doubted():
    """A bent trend: many dates look like a change to a model that knows straight trends only."""
    y = 8 * np.abs(np.arange(140) - 60) / 60 + sticky_noise(np.random.default_rng(2), 0.2, (140,))
    y[100:] += 4
    found = trend_change(frame_of(y), "calls", "2026-03-11", season=())
    assert found.code == "changed"
    assert "placebo" in [d.code for d in found.doubts]
    assert next(c for c in found.checks if c.code == "placebo").level == "warn"


def test_short_series_say_so():
    """Eight weeks of days a side are asked for."""
    y = sticky_noise(np.random.default_rng(3), 0.1, (60,))
    y[30:] += 6
    found = trend_change(frame_of(y), "calls", "2025-12-31", season=())
    assert found.code == "changed"
    assert "short" in [d.code for d in found.doubts] or found.steps.unit == "row"
    days = trend_change(tickets(days=84, lift=0.2), SOLVED, CHANGE)
    assert "short" in [d.code for d in days.doubts], "25 days after the change"


def test_what_is_left_over_is_looked_at():
    """A rhythm of seven days that the model is not told of, and then is."""
    week = np.tile([0, 0, 0, 0, 0, 6.0, 6.0], 20)
    y = frame_of(week + sticky_noise(np.random.default_rng(5), 0.2, (140,)))
    deaf, knowing = (trend_change(y, "calls", "2026-02-09", season=season) for season in ((), ("weekday",)))
    levels = [next(c for c in f.checks if c.code == "leftover").level for f in (deaf, knowing)]
    assert levels == ["warn", "ok"]


# --- invariances ---


def test_the_order_of_rows_does_not_matter():
    table = tickets(lift=0.1)
    mixed = table.sample(frac=1, random_state=1)
    assert trend_change(mixed, SOLVED, CHANGE).effect.found == trend_change(table, SOLVED, CHANGE).effect.found


@given(scale=st.floats(0.01, 100), shift=st.floats(-1e3, 1e3))
def test_another_unit_changes_the_unit_and_nothing_else(scale: float, shift: float) -> None:
    y = frame_of(sticky_noise(np.random.default_rng(6), 0.3, (112,)))
    one, other = (trend_change(s, "x", "2026-01-26", placebo=False) for s in (y, shift + scale * y))
    assert other.effect.found.value == pytest.approx(scale * one.effect.found.value, rel=1e-3, abs=1e-4 * scale)
    assert other.p == pytest.approx(one.p, abs=1e-3)


def test_better_turns_the_verdict_and_not_the_number():
    y = frame_of(sticky_noise(np.random.default_rng(7), 0.2, (112,)) + 4 * (np.arange(112) >= 56))
    up, down, none = (trend_change(y, "x", "2026-01-26", better=better) for better in ("higher", "lower", "none"))
    assert (up.code, down.code, none.code) == ("improved", "worsened", "changed")
    assert up.effect.found == down.effect.found


def test_a_finding_is_the_formula_on_its_own_steps():
    """What stands between question and formula changes no number."""
    found = trend_change(tickets(), SOLVED, CHANGE)
    steps = found.steps
    weekday = indicator_columns(steps.table["step"].dt.day_of_week)
    alone = series_change(steps.value, steps.at, SeriesModel(regressors=weekday))
    assert found.effect.found.value == pytest.approx(alone.level.value, rel=1e-9)
    assert found.p == pytest.approx(alone.level.p, rel=1e-9)


def test_a_margin_makes_the_same_a_finding():
    found = trend_change(tickets(days=200, a_day=300, start="2025-11-22"), SOLVED, CHANGE, margin=0.05)
    assert found.code == "equivalent"
    assert trend_change(tickets(), SOLVED, CHANGE, margin=0.001).code == "inconclusive"


def test_looks_widen_the_interval():
    table = tickets(lift=0.1)
    once, early, late = (
        trend_change(table, SOLVED, CHANGE, **k) for k in ({}, {"look": 1, "looks": 8}, {"look": 8, "looks": 8})
    )
    width = [f.effect.found.high - f.effect.found.low for f in (once, late, early)]
    assert width == sorted(width)
    assert once.p < late.p < early.p


def test_a_bend_is_told_beside_the_level():
    t = np.arange(120.0)
    y = 10 + 0.05 * t + (t >= 60) * (2 + 0.2 * (t - 60)) + 0.2 * sticky_noise(np.random.default_rng(8), 0.2, (120,))
    found = trend_change(frame_of(y), "x", "2026-01-30", slope=True, season=())
    assert [e.stat for e in found.effects] == ["value", "bend_row"]
    assert found.effects[1].found.value == pytest.approx(0.2, abs=0.02)
    assert "bend of the trend" in found.card("en")


# --- refusals, in words ---


def refusal(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(CxkitError) as refused:
        call(*args, **kwargs)
    assert all(refused.value.text(code) for code in LANGS)
    return refused.value.text("en")


def test_refusals_teach():
    y = frame_of(sticky_noise(np.random.default_rng(1), 0.2, (40,)))
    assert refusal(trend_change, y.iloc[:11], "x", "2025-12-06") == (
        "A change in one series needs at least 12 known points; 11 are here. Take shorter steps or a longer stretch."
    )
    assert refusal(trend_change, y, "x", "2026-06-01") == (
        "The change needs at least 4 known points before it and after it; there are 40 before and 0 after."
    )
    assert refusal(trend_change, y, "x", "someday") == (
        "“someday” is no label of the series’ index: give a day for dates, a number for numbers."
    )
    assert refusal(trend_change, pd.concat([y, y.iloc[:2]]), "x", "2025-12-20") == (
        "2 labels stand more than once in the index; each step needs its own."
    )
    assert (
        refusal(trend_change, nile(), "flow", 1899, season="month") == "Months and special days need an index of dates."
    )
    assert refusal(trend_change, y, "x", "2025-12-20", season="moon") == "A season is “weekday” or “month”, not “moon”."
    assert refusal(trend_change, tickets(), SOLVED, CHANGE, freq="month") == (
        "The steps are “day”, “week” or “auto”, not “month”."
    )
    assert refusal(trend_change, tickets(), SOLVED, CHANGE, special_days=pd.DataFrame({"date": []})) == (
        "The table of special days needs a column “day”."
    )
    assert refusal(trend_change, frame_of(np.zeros(40)), "x", "2025-12-20", log=True) == (
        "40 values are 0 or below; on the log scale all must be above 0."
    )
    assert refusal(trend_change, y.replace(y.iloc[3], np.inf), "x", "2025-12-20").startswith(
        "1 value or count is infinite"
    )


def test_a_snapshot_and_a_score_that_compares_have_no_series():
    age = cx.Duration("age", start="opened_at", stop="as_of")
    assert refusal(trend_change, tickets(), age, CHANGE) == (
        "age is how things stand today, and has no series; follow the backlog, or the time to the solution."
    )
    table = tickets().assign(score=4.0)
    score = cx.Score("score", scale=(1, 5), top=(4, 5), value="score", at="opened_at")
    assert refusal(trend_change, table, score, CHANGE, estimand="relative_effect").startswith(
        "score: “relative_effect” compares two sides and has no value on a single day"
    )


def test_a_stock_is_followed_by_its_ends_of_days(tmp_path: Path) -> None:
    """Ten tickets a day, each open for three days: thirty wait; from March on they take six days, and sixty wait."""
    day = np.repeat(np.arange(120), 10)
    opened = pd.Timestamp("2026-01-01 10:00") + pd.to_timedelta(day, unit="D")
    lasts = np.where(opened < CHANGE, 3, 6) + np.random.default_rng(0).integers(0, 2, len(day))
    frame = pd.DataFrame({"opened_at": opened, "first_solved_at": opened + pd.to_timedelta(lasts, unit="D")})
    frame["first_solved_at"] = frame["first_solved_at"].where(frame["first_solved_at"] < "2026-05-01")
    waiting = cx.Count("waiting", spells=(("opened_at", "first_solved_at"),), better="lower")
    found = trend_change(service(tmp_path, frame), waiting, CHANGE, special_days=False)
    assert found.steps.value[20:59].mean() == pytest.approx(35, abs=2)
    assert found.steps.value[-20:].mean() == pytest.approx(65, abs=2)
    assert found.effect.stat == "stock"
    assert refusal(trend_change, frame, waiting, CHANGE) == (
        "waiting is a stock, which only a study can tell day by day; give the finished series instead."
    )


@pytest.mark.parametrize("kind", [int, "Int64", "float32", "int64[pyarrow]"])
def test_numbers_of_any_kind_give_the_same(kind: Any) -> None:
    found = trend_change(nile().astype(kind), "flow", 1899)
    assert found.effect.found.value == pytest.approx(-283.9189430, rel=1e-6)


# --- words and pictures ---


@pytest.fixture(scope="module")
def findings() -> list[TrendFinding]:
    walk = np.cumsum(np.random.default_rng(3).normal(size=200))
    return [
        trend_change(tickets(lift=0.15), SOLVED, CHANGE),
        trend_change(tickets(), SOLVED, CHANGE, margin=0.2),
        trend_change(seatbelts(), "drivers", "1983-02-01", season="month", log=True, better="lower"),
        trend_change(nile(), "flow", 1899, slope=True),
        trend_change(frame_of(walk + 40 * (np.arange(200) > 99)), "calls", "2026-03-11"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGS)
def test_findings_speak_draw_and_are_whole_in_every_language(findings: list[TrendFinding], code: str) -> None:
    for found in findings:
        page = found.card(code)
        assert f'lang="{code}"' in page and "changes." not in page.replace("changes.toml", ""), (
            "no code is left unspoken"
        )
        assert found.figure(code).png.startswith(b"\x89PNG")
        assert found.question.text(code)


def test_the_three_languages_say_the_same_numbers(findings: list[TrendFinding]) -> None:
    """Digits apart: every number of the English verdict stands in the others."""
    import unicodedata

    def numbers(text: str) -> list[str]:
        plain = "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in text)
        kept = "".join(c if c.isdigit() or c in ".٫" else " " for c in plain).replace("٫", ".")
        return sorted(part.strip(".") for part in kept.split() if part.strip("."))

    found = findings[3]
    english = numbers(found.sentences()[0].text("en"))
    for code in ("ar", "fa"):
        assert numbers(found.sentences()[0].text(code)) == english


def test_machine_values_are_json_and_hold_series_and_doubts(findings: list[TrendFinding]) -> None:
    told = json.loads(json.dumps(findings[4].to_dict(), allow_nan=False))
    assert told["doubts"][0] == "sticky"
    assert len(told["series"]) == 200
    assert {"step", "value", "fitted", "without"} <= told["series"][0].keys()
    assert told["design"]["id"] == "trend_change"


def test_before_and_after_is_never_a_cause(findings: list[TrendFinding]) -> None:
    """A series without a control changed; nothing says why."""
    for found in findings:
        if found.code in ("improved", "worsened", "changed"):
            assert found.sentences()[-1].key == "changes.verdict.not_caused"
            assert "caused" not in found.verdict("en")


def test_weeks_have_seven_days():
    assert WEEK == 7
    with pytest.raises(ParameterError):
        trend_change(tickets().iloc[:0], SOLVED, CHANGE)
