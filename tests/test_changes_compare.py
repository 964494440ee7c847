"""Two sides compared end to end: published numbers, what must not matter, every type of column, refusals that teach."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.datasets import load_lung
from scipy import stats

import cxkit as cx
from cxkit.changes import Look, compare
from cxkit.errors import CxkitError, MeasureError, ParameterError, StudyError

ORACLES = Path(__file__).parent / "fixtures" / "oracles"
YEAR, DAY = 365.25 * 86_400, 86_400
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]  # Student's sleep data: hours gained
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
EXTRA = cx.Ratio("extra sleep", top="extra", better="higher")
SOLVED = cx.Share("solved", where="solved", better="higher")
CSAT = cx.Score("csat", of="tickets", scale=(1, 5), top=(4, 5), value="csat", better="higher")
NPS = cx.Net("nps", of="tickets", value="score", better="higher")


@pytest.fixture
def sleep() -> pd.DataFrame:
    return pd.DataFrame({"extra": FIRST + SECOND, "drug": [1] * 10 + [2] * 10, "person": [*range(10)] * 2})


def shares(a: tuple[int, int], b: tuple[int, int]) -> pd.DataFrame:
    """Successes and rows of two groups, row by row."""
    rows = [(name, i < hits) for name, (hits, n) in (("a", a), ("b", b)) for i in range(n)]
    return pd.DataFrame(rows, columns=["group", "solved"])


# --- numbers that others print ---


def test_a_mean_of_independent_rows_is_welchs_test(sleep: pd.DataFrame) -> None:
    """R: t.test(extra ~ group, data = sleep), t -1.8608135, df 17.776474, p .07939414, [-3.3654832, .2054832]."""
    found = compare(sleep, EXTRA, by="drug", baseline="1")
    assert (found.method.id, found.code) == ("welch", "no_evidence")
    got = found.effect.found
    assert (got.value / got.se, got.df, got.p) == pytest.approx((1.8608135, 17.776474, 0.07939414), abs=5e-7)
    assert (got.low, got.high) == pytest.approx((-0.2054832307, 3.3654832307), abs=1e-9)
    assert found.naive.p == pytest.approx(got.p)


def test_the_same_persons_on_both_sides_are_a_paired_test(sleep: pd.DataFrame) -> None:
    """R: t.test(extra ~ group, data = sleep, paired = TRUE): t 4.0621, df 9, p .002833; [0.7001142, 2.4598858]."""
    found = compare(sleep, EXTRA, by="drug", cluster="person")
    assert (found.method.id, found.code, found.method.clusters) == ("crossed", "improved", ("person",))
    got = found.effect.found
    assert (got.value / got.se, got.df, got.p) == pytest.approx((4.0621, 9, 0.002833), abs=5e-5)
    assert (got.low, got.high) == pytest.approx((0.7001142, 2.4598858), abs=5e-8)


def test_with_one_giant_agent_the_agents_are_dealt_anew(sleep: pd.DataFrame) -> None:
    """scipy.stats.permutation_test over all 252 ways of dealing ten agents, one of them with half of all rows.

    The statistic is written out here: the difference of pooled means over the jackknife error of whole agents (CR3).
    """
    rng = np.random.default_rng(7)
    size = np.array([90, 10, 10, 10, 10, 10, 10, 10, 10, 10])
    hours = rng.normal(size=10) + np.repeat([0.0, 4.0], 5)
    agent = np.repeat(np.arange(10), size)
    table = pd.DataFrame({"extra": hours[agent], "agent": agent, "team": np.where(agent < 5, "old", "new")})

    def apart(one: np.ndarray, two: np.ndarray, axis: int) -> np.ndarray:
        found = []
        for mine, others in zip(np.atleast_2d(one), np.atleast_2d(two), strict=True):
            gap, variance = 0.0, 0.0
            for sign, ids in ((-1, mine.astype(int)), (1, others.astype(int))):
                whole = np.average(hours[ids], weights=size[ids])
                left = [np.average(np.delete(hours[ids], i), weights=np.delete(size[ids], i)) for i in range(len(ids))]
                gap, variance = gap + sign * whole, variance + 4 / 5 * float(((np.array(left) - whole) ** 2).sum())
            found.append(abs(gap) / np.sqrt(variance))
        return np.array(found) if len(found) > 1 else found[0]

    theirs = stats.permutation_test(
        (np.arange(5), np.arange(5, 10)),
        apart,
        permutation_type="independent",
        n_resamples=1_000,
        alternative="greater",
        vectorized=True,
    )
    found = compare(table, EXTRA, by="team", baseline="old", cluster="agent")
    got = found.effect.found
    assert (found.method.id, got.p) == ("reassigned", pytest.approx(theirs.pvalue, abs=1e-12))
    assert got.value == pytest.approx(
        table.groupby("team")["extra"].mean()["new"] - table.groupby("team")["extra"].mean()["old"]
    )
    assert (got.low > 0) == (got.p <= 0.05)
    assert "giant" in [reason.code for reason in found.method.because]


@pytest.mark.parametrize(
    ("margin", "code", "low", "high"),
    [(0.5, "inconclusive", 0.1066, 3.0534), (4.0, "equivalent", 0.1066, 3.0534)],
)
def test_equivalence_is_that_of_two_one_sided_tests(
    sleep: pd.DataFrame, margin: float, code: str, low: float, high: float
) -> None:
    """TOSTER vignette IntroTOSTt, sleep data with a margin of .5: 90 % interval [-3.0534, -.1066], inconclusive."""
    extra = cx.Ratio("extra sleep", top="extra")
    found = compare(sleep, extra, by="drug", baseline="1", margin=margin)
    assert found.code == code
    narrow = compare(sleep, EXTRA, by="drug", baseline="1", alpha=0.1).effect.found
    assert (narrow.low, narrow.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [
        ((48, 80), (56, 70), 0.0524314724, 0.333872654),
        ((3, 10), (9, 10), 0.1705227239, 0.8090179735),
        ((1, 34), (7, 34), 0.01892144389, 0.340368687),
    ],
)
def test_two_shares_have_newcombes_interval(a: tuple[int, int], b: tuple[int, int], low: float, high: float) -> None:
    """Newcombe (1998), Table II, as R's Epi::ci.pd prints it."""
    found = compare(shares(a, b), SOLVED, by="group")
    assert (found.method.id, found.code) == ("newcombe", "improved")
    assert (found.effect.found.low, found.effect.found.high) == pytest.approx((low, high), abs=1e-9)


def test_a_relative_change_of_shares_is_katzs() -> None:
    """Fagerland, Lydersen and Laake (2015), 7/34 against 1/34: Katz .91 to 54 as a ratio."""
    found = compare(shares((1, 34), (7, 34)), SOLVED, by="group")
    assert (1 + found.relative.low, 1 + found.relative.high) == pytest.approx((0.91, 54), rel=0.01)


def test_capped_means_of_the_pbc_trial_are_those_of_survrm2() -> None:
    """R: survRM2::rmst2 of pbc, tau 10: 7.146 and 7.283, difference -.137 [-.939, .665] p .738, ratio .981."""
    patients = pd.read_csv(ORACLES / "pbc.csv")
    patients["seconds"] = patients["time"] * YEAR
    time = cx.Duration("survival", seconds="seconds", done="status == 1", better="higher")
    found = compare(patients, time, by="arm", horizon=10 * YEAR)
    got = found.effect.found
    assert found.table["value"].to_numpy() / YEAR == pytest.approx([7.283, 7.146], abs=5e-4)
    assert got.value / YEAR == pytest.approx(-0.137, abs=5e-4) and got.p == pytest.approx(0.738, abs=2e-3)
    assert (got.low / YEAR, got.high / YEAR) == pytest.approx((-0.939, 0.665), abs=8e-3)  # Student's t is wider
    assert 1 + found.relative.value == pytest.approx(0.981, abs=5e-4)
    assert found.code == "no_evidence"


def test_capped_means_and_log_rank_of_the_lung_patients_are_those_of_r() -> None:
    """R: survRM2::rmst2 of lung at tau 965: 131.8557; survival::survdiff: p .001311. Both sexes watched 965 days."""
    patients = load_lung().assign(seconds=lambda t: t["time"] * DAY)
    time = cx.Duration("survival", seconds="seconds", done="status == 1", better="higher")
    found = compare(patients, time, by="sex", baseline="1", horizon="965 d")
    assert found.effect.found.value / DAY == pytest.approx(131.8557, abs=5e-5)
    log_rank = next(e for e in found.effects if e.stat == "log_rank")
    assert log_rank.found.p == pytest.approx(0.001311, abs=5e-7) and log_rank.role == "test"
    assert found.code == "improved"


def test_answers_on_a_scale_are_compared_as_brunner_and_munzel() -> None:
    """R: lawstat::brunner.munzel.test of the pain scores: P .788961 [.5952169, .9827052], p .005786208666."""
    yes = [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1]
    new = [3, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4]
    table = pd.DataFrame({"csat": yes + new, "group": ["a"] * len(yes) + ["b"] * len(new)})
    found = compare(table, CSAT, by="group")
    got = found.effect.found
    assert (found.method.id, found.effect.stat) == ("brunner_munzel", "relative_effect")
    assert (got.value, got.low, got.high) == pytest.approx((0.788961, 0.5952169, 0.9827052), abs=5e-7)
    assert got.p == pytest.approx(0.005786208666, abs=1e-12)
    beside = {e.stat: e.found.value for e in found.effects}
    assert beside["mean"] == pytest.approx(np.mean(new) - np.mean(yes))
    assert beside["top_share"] == pytest.approx(3 / 11 - 1 / 14)


def test_net_scores_differ_as_in_the_nps_package() -> None:
    """R: NPS::nps.test of (10, 20, 30) and (8, 22, 40): difference .12380952, p .32873079 (there by the normal law)."""
    rows = [(g, s) for g, counts in (("a", (10, 20, 30)), ("b", (8, 22, 40))) for s, n in zip((0, 8, 10), counts) for _ in range(n)]  # fmt: skip  # noqa: B905, E501
    found = compare(pd.DataFrame(rows, columns=["group", "score"]), NPS, by="group")
    assert found.effect.found.value == pytest.approx(0.12380952, abs=5e-9)
    assert found.effect.found.p == pytest.approx(0.32873079, abs=6e-3)


def test_schools_of_one_district_are_clusters() -> None:
    """R: survey::svyttest(api00 ~ stype == "E"): 22.04754274. A t-test of the schools takes them as strangers."""
    schools = pd.read_csv(ORACLES / "apiclus1.csv").assign(elementary=lambda t: t["stype"] == "E")
    score = cx.Ratio("api", top="api00", better="higher")
    found = compare(schools, score, by="elementary", cluster="dnum")
    assert found.effect.found.value == pytest.approx(22.04754274, abs=1e-8)
    assert found.method.id == "crossed"
    assert dict(found.method.rejected)["t_test"].code == "rows_paired"  # districts with both kinds cancel


def test_arrivals_are_a_quasi_poisson_regression() -> None:
    """statsmodels: GLM Poisson with scale X2 and Student's t, of the days of the Seatbelts-like example."""
    rng = np.random.default_rng(5)
    days = pd.date_range("2026-01-01", periods=56, freq="D")
    came = rng.negative_binomial(8, 0.2, 56)
    rows = pd.DataFrame({"opened_at": np.repeat(days, came)})
    found = compare(rows, cx.Count("volume"), at="2026-01-29", cluster="")
    after = (days >= "2026-01-29").astype(float)
    fit = sm.GLM(came, sm.add_constant(after), family=sm.families.Poisson()).fit(scale="X2", use_t=True)
    low, high = np.expm1(fit.conf_int()[1])
    assert found.effect.found.value == pytest.approx(math.expm1(fit.params[1]), rel=1e-9)
    assert (found.effect.found.low, found.effect.found.high) == pytest.approx((low, high), rel=1e-6)
    assert found.p == pytest.approx(fit.pvalues[1], rel=1e-6)
    assert (found.method.id, found.naive.id) == ("quasi_poisson", "poisson_z")


def test_few_days_leave_two_totals() -> None:
    """scipy.stats.binomtest: of 32 arrivals 21 on 12 of 20 days, as Przyborowski and Wilenski (1940) put it."""
    first = pd.date_range("2026-01-01", periods=8, freq="D").repeat([2, 1, 1, 2, 1, 1, 1, 2])
    second = pd.date_range("2026-01-09", periods=12, freq="D").repeat([2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1])
    rows = pd.DataFrame({"opened_at": [*first, *second]})
    found = compare(rows, cx.Count("volume"), at="2026-01-09")
    assert found.method.id == "exact_counts"
    assert found.p == pytest.approx(stats.binomtest(21, 32, 12 / 20).pvalue, rel=1e-9)


def test_a_covariate_from_before_is_analysis_of_covariance() -> None:
    """statsmodels OLS of MASS::anorexia, Postwt on Treat and Prewt, two of the groups: the same difference."""
    girls = pd.read_csv(ORACLES / "anorexia.csv").query("treatment != 'FT'").reset_index(drop=True)
    weight = cx.Ratio("weight", top="after", better="higher")
    found = compare(girls, weight, by="treatment", baseline="Cont", treated="CBT", covariate="before")
    x = sm.add_constant(np.column_stack([girls["treatment"] == "CBT", girls["before"]]).astype(float))
    fit = sm.OLS(girls["after"].to_numpy(float), x).fit()
    assert found.effect.found.value == pytest.approx(fit.params[1], rel=1e-9)
    assert found.effect.found.se == pytest.approx(fit.bse[1], rel=0.05)  # least squares pays for the slope, too
    plain = compare(girls, weight, by="treatment", baseline="Cont", treated="CBT")
    assert found.effect.found.se < plain.effect.found.se
    assert any(reason.code == "by_covariate" for reason in found.method.because)


def test_post_stratified_answers_are_means_of_strata_weighed_by_all() -> None:
    """By hand: chat .9 and .6, e-mail .5 and .2; half of all tickets are chats, whoever answered: .7 and .4."""
    answers = {("a", "chat"): (90, 100), ("a", "email"): (10, 20), ("b", "chat"): (12, 20), ("b", "email"): (20, 100)}
    rows = [(*key, i < hits, True) for key, (hits, n) in answers.items() for i in range(n)]
    silent = [("a", "email", None, False)] * 80 + [("b", "chat", None, False)] * 80
    table = pd.DataFrame(rows + silent, columns=["group", "channel", "solved", "answered"])
    table["solved"] = table["solved"].astype("boolean")
    found = compare(table, SOLVED, by="group", population="channel")
    assert found.table["value"].tolist() == pytest.approx([0.7, 0.4])
    raw = compare(table, SOLVED, by="group")
    assert raw.effect.found.value == pytest.approx(32 / 120 - 100 / 120)
    same = compare(table, SOLVED, by="group", strata="channel", population={"chat": 3, "email": 3})
    assert same.effect.found == found.effect.found


@pytest.mark.parametrize(("look", "bound"), [(1, 4.8769), (2, 3.3569), (3, 2.6803), (4, 2.2898), (5, 2.0310)])
def test_planned_looks_widen_the_interval_as_obrien_and_fleming(sleep: pd.DataFrame, look: int, bound: float) -> None:
    """R: ldbounds, five even looks: 4.8769 3.3569 2.6803 2.2898 2.0310, here through Student's t at the same chance."""
    plain, looked = (compare(sleep, EXTRA, by="drug", **kw) for kw in ({}, {"look": look, "looks": 5}))
    level = 2 * stats.norm.cdf(bound) - 1
    reach = stats.t.ppf((1 + level) / 2, plain.effect.found.df) * plain.effect.found.se
    assert (looked.effect.found.high - looked.effect.found.low) / 2 == pytest.approx(reach, rel=2e-3)


# --- what must not matter ---


@st.composite
def two_sides(draw):  # type: ignore[no-untyped-def]
    n = draw(st.integers(24, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    agent = rng.integers(0, 12, n)
    return pd.DataFrame(
        {
            "group": np.where(np.arange(n) % 2 == 0, "a", "b"),
            "agent_id": [f"A{k}" for k in agent],
            "solved": rng.random(n) < 0.5,
            "csat": rng.integers(1, 6, n),
            "score": rng.integers(0, 11, n),
            "seconds": rng.integers(1, 500, n),
            "done": rng.random(n) < 0.8,
        }
    )


WAIT = cx.Duration("wait", seconds="seconds", done="done", better="lower", horizon_seconds=200)
MEASURES = [SOLVED, CSAT, NPS, WAIT, cx.Ratio("aht", top="seconds", unit="seconds", better="lower")]


@given(two_sides(), st.sampled_from(MEASURES))
@settings(max_examples=25)
def test_swapping_the_sides_flips_the_sign(rows: pd.DataFrame, measure: cx.measures.Measure) -> None:
    """The difference of b and a is that of a and b, turned round; so are bounds, and the verdict."""
    one = compare(rows, measure, by="group", baseline="a")
    two = compare(rows, measure, by="group", baseline="b")
    turned = {"improved": "worsened", "worsened": "improved"}
    assert two.code == turned.get(one.code, one.code)
    if one.effect is None:
        return
    none = 1.0 if one.effect.unit == "chance" else 0.0
    got, back = one.effect.found, two.effect.found
    assert back.value == pytest.approx(none - got.value, abs=1e-9)
    assert (back.low, back.high) == pytest.approx((none - got.high, none - got.low), abs=1e-9, nan_ok=True)
    assert back.p == pytest.approx(got.p, abs=1e-9, nan_ok=True)


@pytest.mark.slow
@given(two_sides(), st.sampled_from(MEASURES), st.integers(0, 1000))
@settings(max_examples=25)
def test_the_order_of_rows_and_the_names_of_clusters_do_not_matter(
    rows: pd.DataFrame, measure: cx.measures.Measure, seed: int
) -> None:
    """The same table in another order, with agents under other names, gives the same finding."""
    names = {f"A{k}": 100 - k for k in range(12)}
    other = rows.sample(frac=1, random_state=seed).assign(agent_id=lambda t: t["agent_id"].map(names))
    one, two = (compare(t, measure, by="group") for t in (rows, other))
    assert (one.code, one.method) == (two.code, two.method) or one.method.id == two.method.id
    if one.effect is not None:
        assert list(two.effect.found) == pytest.approx(list(one.effect.found), rel=1e-9, abs=1e-12, nan_ok=True)


def test_another_unit_scales_the_effect_and_nothing_else(sleep: pd.DataFrame) -> None:
    """Hours or minutes: the effect is 60 times as large, its p is the same."""
    hours = compare(sleep, EXTRA, by="drug").effect.found
    minutes = compare(sleep.assign(extra=sleep["extra"] * 60), EXTRA, by="drug").effect.found
    assert (minutes.value, minutes.low) == pytest.approx((60 * hours.value, 60 * hours.low))
    assert minutes.p == pytest.approx(hours.p)


@pytest.mark.parametrize(
    "kind",
    ["bool", "int8", "int64", "float32", "Int64", "boolean", "bool[pyarrow]", "double[pyarrow]", "Decimal", "object"],
)
def test_every_type_of_column_gives_the_same_numbers(kind: str) -> None:
    """Booleans, whole numbers, nullable, Arrow-backed and decimal columns are taken alike (Newcombe's 56/70, 48/80)."""
    table = shares((48, 80), (56, 70))
    yes = table["solved"]
    if kind == "Decimal":
        table["solved"] = [Decimal(int(x)) for x in yes]
    else:
        table["solved"] = yes.astype(kind)
    where = "solved" if kind in ("bool", "boolean", "bool[pyarrow]", "object") else "solved == 1"
    found = compare(table, cx.Share("solved", where=where), by="group")
    assert found.effect.found.low == pytest.approx(0.0524314724, abs=1e-9)


@pytest.mark.parametrize("group", [[0, 1], [False, True], ["before", "after"], [1.0, 2.0], [Decimal(1), Decimal(2)]])
@pytest.mark.parametrize("category", [False, True])
def test_every_type_of_group_column_is_divided_alike(group: list[object], category: bool) -> None:
    """The first in order is the baseline, and "before" comes before "after" whatever the alphabet says."""
    table = shares((48, 80), (56, 70))
    table["group"] = table["group"].map(dict(zip("ab", group, strict=True)))
    if category:
        table["group"] = pd.Categorical(table["group"], categories=group, ordered=True)
    found = compare(table, SOLVED, by="group")
    assert found.effect.found.value == pytest.approx(56 / 70 - 48 / 80)


def test_missing_values_are_counted_and_left_out() -> None:
    """Two of each group have no answer; the others are those of Newcombe's example."""
    table = pd.concat([shares((48, 80), (56, 70)).astype({"solved": "boolean"}), pd.DataFrame({"group": ["a", "a", "b", "b"], "solved": pd.array([None] * 4, "boolean")})])  # fmt: skip  # noqa: E501
    found = compare(table, SOLVED, by="group")
    assert found.table["missing"].tolist() == [2, 2] and found.table["n"].tolist() == [80, 70]
    assert found.effect.found.low == pytest.approx(0.0524314724, abs=1e-9)


def test_rows_of_neither_side_are_left_out_and_said() -> None:
    """A third group stays out when the two to compare are named."""
    table = pd.concat([shares((48, 80), (56, 70)), pd.DataFrame({"group": ["c", None], "solved": [True, True]})])
    found = compare(table, SOLVED, by="group", baseline="a", treated="b")
    assert found.effect.found.low == pytest.approx(0.0524314724, abs=1e-9)
    assert [note.key for note in found.notes] == ["changes.note.left_out"] and found.notes[0].params["n"] == 2


# --- clusters ---


def clustered(agents: int, seed: int = 3, tickets: int = 40) -> pd.DataFrame:
    """Tickets of agents who differ, half of them on either side; nothing differs between the sides."""
    rng = np.random.default_rng(seed)
    agent = np.repeat(np.arange(2 * agents), tickets)
    skill = rng.normal(size=2 * agents)
    return pd.DataFrame(
        {
            "agent_id": agent,
            "customer_id": rng.integers(0, 4 * agents * tickets, len(agent)),
            "group": np.where(agent % 2 == 0, "old", "new"),
            "seconds": np.exp(5 + 0.5 * skill[agent] + 0.3 * rng.normal(size=len(agent))),
        }
    )


AHT = cx.Ratio("aht", top="seconds", unit="seconds", better="lower")


def test_the_unit_with_the_larger_design_effect_is_the_cluster() -> None:
    """Agents differ, customers do not: agents are taken, both design effects are said, and the naive p is printed."""
    found = compare(clustered(20), AHT, by="group", baseline="old")
    assert (found.method.id, found.method.clusters) == ("clusters", ("agent_id",))
    codes = [reason.code for reason in found.method.because]
    assert "resemble" in codes and "other_unit" in codes
    assert found.naive.id == "t_test" and found.naive.p < found.p
    assert found.table["n_eff"].tolist()[0] < 100 < found.table["n"].tolist()[0]


def test_clusters_are_left_out_in_turn() -> None:
    """The delete-one-cluster jackknife by its definition (MacKinnon, Nielsen and Webb 2023, eq. 11), side by side."""
    rows = clustered(12)
    found = compare(rows, AHT, by="group", baseline="old", cluster="agent_id").effect.found
    variance = 0.0
    for _, side in rows.groupby("group"):
        means = np.array([side.loc[side["agent_id"] != a, "seconds"].mean() for a in side["agent_id"].unique()])
        variance += (len(means) - 1) / len(means) * ((means - side["seconds"].mean()) ** 2).sum()
    assert found.se == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_two_kinds_of_clusters_at_once_on_request() -> None:
    """Cameron, Gelbach and Miller (2011): both variances less that of their intersection."""
    rows = clustered(12).assign(customer_id=lambda t: t.index % 90)
    asked = {name: compare(rows, AHT, by="group", cluster=name).effect.found.se for name in ("agent_id", "customer_id")}
    pair = rows.assign(pair=rows["agent_id"] * 1000 + rows["customer_id"])
    inside = compare(pair, AHT, by="group", cluster="pair").effect.found.se
    both = compare(rows, AHT, by="group", cluster=("agent_id", "customer_id"))
    wanted = math.sqrt(max(asked["agent_id"] ** 2 + asked["customer_id"] ** 2 - inside**2, max(asked.values()) ** 2))
    assert both.method.id == "two_way" and both.effect.found.se == pytest.approx(wanted, rel=1e-9)


def test_fewer_than_five_clusters_are_refused_and_their_means_shown() -> None:
    """Rows of four agents tell nothing of a fifth; the four means are listed instead, without names."""
    found = compare(clustered(4), AHT, by="group", baseline="old")
    assert found.code == "invalid" and found.effect is None and found.judgement.stop.code == "too_few_clusters"
    assert found.cluster_means.columns.tolist() == ["group", "value", "n", "unit"]
    assert found.cluster_means["group"].tolist() == ["old"] * 4 + ["new"] * 4
    assert found.figure("fa").png
    assert compare(clustered(4, tickets=29), AHT, by="group").cluster_means.empty  # so few cases tell of a person
    assert "t-test on the rows" in found.card("en") and "listed instead" in found.verdict("en")
    told = compare(clustered(4), AHT, by="group", cluster="")
    assert told.method.id == "welch" and told.code != "invalid"


@pytest.mark.parametrize(("agents", "level"), [(5, "warn"), (9, "warn"), (10, "ok")])
def test_few_clusters_warn(agents: int, level: str) -> None:
    """statistics.md, section 8: 5 to 9 a side are used with a warning, from 10 without."""
    found = compare(clustered(agents), AHT, by="group")
    assert next(c.level for c in found.checks if c.code == "clusters") == level


# --- waiting ---


def test_an_unfinished_young_side_is_no_faster() -> None:
    """Both sides are served alike, the young one was watched for a shorter time: closed ones alone look faster."""
    rng = np.random.default_rng(11)
    opened = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.uniform(0, 60, 2000), unit="D")
    hours = rng.exponential(240, 2000)
    solved = opened + pd.to_timedelta(hours, unit="h")
    end = pd.Timestamp("2026-03-02")
    rows = pd.DataFrame({"opened_at": opened, "first_solved_at": pd.Series(solved).where(solved <= end)})
    time = cx.Duration("resolution", start="opened_at", stop="first_solved_at", better="lower")
    found = compare(rows, time, at="2026-02-01", as_of=end)
    assert found.naive.p < 1e-6 and found.naive.value < 0
    assert found.code == "no_evidence" and found.effect.stat == "capped_mean"
    assert {"capped", "censored", "horizon_data"} <= {reason.code for reason in found.method.because}
    assert ("closed_only" in dict(found.method.rejected)) and found.table["open_share"].iloc[1] > 0.3


@pytest.mark.parametrize(
    ("target", "given", "why", "seconds"),
    [(100, None, "target", 100), (9999, None, "beyond", None), (100, 50, "given", 50)],
)
def test_the_horizon_is_the_one_given_else_the_target_else_as_far_as_the_data_reach(
    target: float, given: float | None, why: str, seconds: float | None
) -> None:
    """Where the target lies beyond what was watched, ten rows of either side are still watched at the horizon."""
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(
        {"seconds": rng.integers(1, 500, 200), "done": rng.random(200) < 0.6, "group": ["a", "b"] * 100}
    )
    time = cx.Duration("wait", seconds="seconds", done="done", target_seconds=target, better="lower")
    found = compare(rows, time, by="group", horizon=given)
    assert f"horizon_{why}" in [reason.code for reason in found.method.because]
    horizon = found.effect.amount
    assert horizon == (seconds or horizon)
    if seconds is None:
        assert min((rows.loc[rows["group"] == g, "seconds"] >= horizon).sum() for g in "ab") == 10
    within = [e for e in found.effects if e.stat == "within"]
    assert [e.amount for e in within] == ([] if why == "beyond" else [target])


def test_quantiles_are_compared_on_request() -> None:
    """The median of 1..200 against 51..250 moved by 50; the P90 of 60 rows rests on six beyond it, which is too few."""
    rows = pd.DataFrame({"seconds": [*range(1, 201), *range(51, 251)], "group": ["a"] * 200 + ["b"] * 200})
    found = compare(rows, AHT, by="group", estimand="median")
    assert (found.effect.stat, found.effect.amount, found.effect.found.value) == ("quantile", 0.5, 50)
    thin = compare(rows.groupby("group").head(60), AHT, by="group", estimand="p90")
    assert thin.code == "invalid" and thin.judgement.stop.code == "thin_tail"


# --- refusals that teach ---


def refusal(error: type[CxkitError], code: str, rows: object, measure: object, **question: object) -> str:
    with pytest.raises(error) as caught:
        compare(rows, measure, **question)  # type: ignore[arg-type]
    assert caught.value.code == code
    return str(caught.value)


def test_one_group_is_refused() -> None:
    assert "needs two" in refusal(ParameterError, "changes_one_group", shares((3, 9), (0, 0)), SOLVED, by="group")


def test_many_groups_are_refused_by_number_and_not_by_name() -> None:
    """A column may hold what customers typed: its values stay out of the message."""
    table = pd.DataFrame({"group": ["secret", "b", "c"], "solved": [True, False, True]})
    said = refusal(ParameterError, "changes_many_groups", table, SOLVED, by="group")
    assert "3 groups" in said and "secret" not in said


def test_persons_are_no_groups() -> None:
    refusal(ParameterError, "changes_persons", clustered(5), AHT, by="agent_id")


def test_a_change_without_an_after_is_refused() -> None:
    rows = pd.DataFrame({"opened_at": pd.date_range("2026-01-01", periods=20), "solved": [True, False] * 10})
    said = refusal(ParameterError, "changes_one_period", rows, SOLVED, at="2027-01-01")
    assert "20 rows lie before" in said


@pytest.mark.parametrize("at", ["soon", "2026-13-01", object()])
def test_a_moment_that_is_none_is_refused(at: object) -> None:
    rows = pd.DataFrame({"opened_at": pd.date_range("2026-01-01", periods=20), "solved": [True, False] * 10})
    refusal(ParameterError, "changes_moment", rows, SOLVED, at=at)


def test_either_a_column_or_a_moment_is_asked_for() -> None:
    refusal(ParameterError, "changes_by_or_at", shares((3, 9), (3, 9)), SOLVED)


def test_a_misspelt_column_is_refused_with_the_nearest_one() -> None:
    said = refusal(MeasureError, "measure_no_column", shares((3, 9), (3, 9)), cx.Share("x", where="solvd"), by="group")
    assert "did you mean solved" in said


def test_infinite_values_are_refused_by_number() -> None:
    rows = pd.DataFrame({"seconds": [1.0, math.inf] * 10, "group": ["a", "b"] * 10})
    assert "10 infinite values" in refusal(ParameterError, "changes_infinite", rows, AHT, by="group")


def test_nan_is_missing() -> None:
    rows = pd.DataFrame({"seconds": [1.0, 2.0, math.nan, 3.0] * 10, "group": ["a", "b"] * 20})
    assert compare(rows, AHT, by="group").table["missing"].tolist() == [10, 0]


def test_columns_of_mixed_types_are_refused() -> None:
    rows = pd.DataFrame({"seconds": [1, "two"] * 10, "group": ["a", "b"] * 10})
    refusal(ParameterError, "changes_column_mixed", rows, AHT, by="group")


def test_a_name_needs_a_study_and_a_study_a_table_of_changes() -> None:
    refusal(ParameterError, "changes_frame_measure", shares((3, 9), (3, 9)), "csat", by="group")
    refusal(StudyError, "study_table", shares((3, 9), (3, 9)), SOLVED, change="form")
    refusal(ParameterError, "changes_data", [1, 2, 3], SOLVED, by="group")


def test_a_covariate_of_afterwards_is_refused() -> None:
    """What was measured after the case began may carry the effect."""
    rows = pd.DataFrame(
        {
            "opened_at": pd.date_range("2026-01-01", periods=20),
            "noted_at": pd.date_range("2025-12-31", periods=20),
            "effort": range(20),
            "solved": [True, False] * 10,
            "group": ["a"] * 10 + ["b"] * 10,
        }
    )
    assert compare(rows, SOLVED, by="group", covariate="effort", covariate_at="noted_at").effect is not None
    late = rows.assign(noted_at=rows["opened_at"] + pd.Timedelta(days=1))
    said = refusal(ParameterError, "changes_covariate_late", late, SOLVED, by="group", covariate="effort", covariate_at="noted_at")  # fmt: skip  # noqa: E501
    assert "20 cases" in said
    refusal(ParameterError, "changes_covariate_own", rows.assign(seconds=1), AHT, by="group", covariate="seconds")


def test_a_horizon_beyond_what_was_watched_is_refused() -> None:
    rows = pd.DataFrame({"seconds": range(1, 41), "done": [True, False] * 20, "group": ["a", "b"] * 20})
    said = refusal(ParameterError, "changes_horizon", rows, WAIT, by="group", horizon="2 h")
    assert "40 seconds is the most" in said


def test_a_statistic_that_the_kind_does_not_have_is_refused() -> None:
    said = refusal(ParameterError, "changes_estimand", shares((3, 9), (3, 9)), SOLVED, by="group", estimand="shares")
    assert "did you mean “share”" in said


def test_a_stock_is_no_number_of_days() -> None:
    stock = cx.Count("backlog", spells=(("opened_at", "solved_at"),))
    rows = pd.DataFrame({"opened_at": pd.date_range("2026-01-01", periods=20), "solved_at": pd.NaT})
    refusal(ParameterError, "changes_stock", rows, stock, at="2026-01-10")


@pytest.mark.parametrize("look", [(0, 5), (6, 5), (1, -1)])
def test_an_impossible_look_is_refused(look: tuple[int, int]) -> None:
    refusal(ParameterError, "changes_look", shares((3, 9), (3, 9)), SOLVED, by="group", look=Look(*look))


@pytest.mark.parametrize(
    ("rows", "measure", "code"),
    [
        (shares((1, 2), (2, 4)), SOLVED, "few_rows"),
        (shares((0, 200), (0, 300)), SOLVED, "none_happened"),
        (shares((200, 200), (300, 300)), SOLVED, "all_happened"),
        (pd.DataFrame({"csat": [5] * 20, "group": ["a", "b"] * 10}), CSAT, "constant"),
        (pd.DataFrame({"seconds": range(1, 21), "done": [False] * 20, "group": ["a", "b"] * 10}), WAIT, "all_open"),
    ],
)
def test_data_that_cannot_carry_an_answer_say_why(rows: pd.DataFrame, measure: cx.measures.Measure, code: str) -> None:
    """A scheduled report must not fail on thin data: the verdict is "invalid", with the reason."""
    found = compare(rows, measure, by="group")
    assert (found.code, found.effect, found.judgement.stop.code) == ("invalid", None, code)
    for lang in ("en", "ar", "fa"):
        assert found.judgement.stop.sentence.text(lang) in found.verdict(lang)


def test_nothing_in_many_is_bounded_by_the_rule_of_three() -> None:
    """Hanley and Lippman-Hand (1983): none of 300 leaves at most 1 %, none of 200 at most 1.5 %."""
    found = compare(shares((0, 200), (0, 300)), SOLVED, by="group")
    assert "at most 1.5% on the one side and 1.0% on the other" in found.verdict("en")
