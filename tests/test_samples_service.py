"""The simulated service: what was planted is there, and can be found again."""

import math

import numpy as np
import pytest

from cxkit.samples import simulate
from cxkit.samples.calls import OUTCOMES, abandoned_share
from cxkit.samples.clock import ServiceClock, days_of
from cxkit.samples.plan import CHANNELS, LANGUAGES, MINUTES_A_DAY, logistic, plan, stream
from cxkit.samples.surveys import NO_ANSWER
from cxkit.samples.tickets import CLOSED, ESCALATED, NEVER, REOPENED, SOLVED, SYSTEM, TRANSFERRED, WORKING
from cxkit.samples.world import NOBODY, day_number


@pytest.fixture(scope="module")
def sample():
    return simulate()


def minutes(*stamps):
    return np.array(stamps, dtype="datetime64[m]").astype(np.int64)


def icc(values, cluster):
    """One-way ANOVA estimator, Searle, Casella & McCulloch (1992), Variance Components, ch. 3."""
    _, code = np.unique(cluster, return_inverse=True)
    size = np.bincount(code)
    mean = np.bincount(code, weights=values) / size
    between = (size * (mean - values.mean()) ** 2).sum() / (len(size) - 1)
    within = ((values - mean[code]) ** 2).sum() / (len(values) - len(size))
    typical = (len(values) - (size**2).sum() / len(values)) / (len(size) - 1)
    variance = (between - within) / typical
    return variance / (variance + within)


# --- the clock ---


def test_working_time_rests_from_thursday_evening_to_the_duty_shift():
    """Hours of plan.toml: Thursday to 20:00 (4 h), Friday and Saturday 14-18 (4 h each), Sunday from 8:00 (1.5 h)."""
    clock = ServiceClock.of(days_of(plan()))
    start, end = minutes("2025-07-03T16:00", "2025-07-06T09:30")
    assert clock.between(start, end) == (4 + 4 + 4 + 1.5) * 60


def test_working_time_is_short_in_ramadan_and_at_eid():
    """28 February 2026 is the 11th of Ramadan 1447, 22 March the third day of Eid (calendars.toml)."""
    clock = ServiceClock.of(days_of(plan()))
    for day, hours in (("2026-03-01", 6), ("2026-02-28", 3), ("2026-03-22", 4), ("2026-03-23", 12)):
        start = minutes(day)
        assert clock.between(start, start + MINUTES_A_DAY) == 60 * hours


def test_the_clock_agrees_with_counting_minutes():
    """Oracle: a table with one yes or no a minute, for two months around Ramadan."""
    days = days_of(plan())
    clock = ServiceClock.of(days)
    first = minutes("2026-02-01")[0]
    every = first + np.arange(60 * MINUTES_A_DAY)
    row = days.position(every)
    worked = np.concatenate(([0], np.cumsum((every >= days.opens[row]) & (every < days.closes[row]))))
    a, b = np.sort(stream(1, "clock").integers(0, len(every), (2, 2000)), axis=0)
    assert (clock.between(every[a], every[b]) == worked[b] - worked[a]).all()


def test_a_moment_some_working_minutes_later_is_that_many_working_minutes_away():
    clock = ServiceClock.of(days_of(plan()))
    rng = stream(2, "clock")
    start = minutes("2025-07-01")[0] + rng.integers(0, 300 * MINUTES_A_DAY, 5000)
    work = np.ceil(rng.exponential(600, 5000))
    end = clock.after(start, work)
    assert (clock.between(start, end) == work).all()
    assert (end > start).all()


# --- the whole ---


def test_the_same_seed_gives_the_same_service_and_another_seed_another():
    one, again, other = simulate(3, 400), simulate(3, 400), simulate(4, 400)
    assert (one.steps.at == again.steps.at).all()
    assert (one.scores.csat == again.scores.csat).all()
    assert len(one.steps.at) != len(other.steps.at) or (one.steps.at != other.steps.at).any()


def test_the_sample_has_the_size_and_the_mix_of_the_plan(sample):
    """plan.toml [size], [languages], [kinds]; 25 agents in 4 groups and 3 tiers."""
    assert 19_500 < len(sample.tickets) < 20_500
    assert len(sample.customers.language) == 3000
    assert len(sample.agents.name) == 25
    assert set(sample.agents.tier.tolist()) == {1, 2, 3}
    assert len(sample.agents.groups) == 4
    real = sample.of_kind("customer")
    mix = np.bincount(sample.tickets.language[real], minlength=3) / real.sum()
    assert mix == pytest.approx([0.5, 0.3, 0.2], abs=0.03)
    for kind, share in (("spam", 0.030), ("merged", 0.015), ("test", 0.004), ("outbound", 0.020)):
        assert sample.of_kind(kind).mean() == pytest.approx(share, abs=0.004)


def test_every_life_is_lived_in_order(sample):
    lives, opened = sample.lives, sample.tickets.opened
    answered = lives.replied < NEVER
    assert (lives.assigned[answered] >= opened[answered]).all()
    assert (lives.replied >= lives.assigned)[answered].all()
    assert (lives.first_solved >= lives.replied)[answered].all()
    assert (lives.last_solved >= lives.first_solved).all()
    assert (lives.closed >= lives.last_solved).all()
    again = lives.reopens > 0
    assert ((lives.reopened > lives.first_solved) & (lives.reopened < lives.closed))[again].all()
    same = sample.steps.ticket[1:] == sample.steps.ticket[:-1]
    assert (np.diff(sample.steps.at)[same] >= 0).all()


def test_solved_tickets_close_by_themselves_after_four_days(sample):
    """plan.toml: 96 hours after the last solution, at the next full hour."""
    steps = sample.steps
    closing = np.flatnonzero(steps.activity == CLOSED)
    assert (steps.who[closing] == SYSTEM).all()
    assert (steps.activity[closing - 1] == SOLVED).all()
    wait = steps.at[closing] - steps.at[closing - 1]
    assert wait.min() >= 96 * 60
    assert wait.max() < 97 * 60


def test_many_tickets_are_still_open_and_some_are_old(sample):
    """Several hundred, one in ten of them more than a month old: what closed tickets alone cannot show."""
    still = sample.of_kind("customer") & (sample.lives.first_solved >= sample.end)
    age = (sample.end - sample.tickets.opened[still]) / MINUTES_A_DAY
    assert 200 < still.sum() < 600
    assert np.quantile(age, 0.9) > 30


def test_nobody_takes_a_ticket_before_being_hired_or_after_leaving(sample):
    taken = sample.steps.who >= 0
    who, day = sample.steps.who[taken], sample.tickets.opened[sample.steps.ticket[taken]] // MINUTES_A_DAY
    assert (day >= sample.agents.started[who]).all()
    assert (day < sample.agents.ended[who]).all()


def test_agents_write_the_language_of_the_customer(sample):
    taken = sample.steps.who >= 0
    language = sample.tickets.language[sample.steps.ticket[taken]]
    assert sample.agents.speaks[sample.steps.who[taken], language].all()


def test_escalations_climb_the_tiers_and_transfers_change_the_agent(sample):
    steps = sample.steps
    up = np.flatnonzero(steps.activity == ESCALATED)
    assert (sample.agents.tier[steps.who[up]] == sample.agents.tier[steps.who[up - 1]] + 1).all()
    moved = np.flatnonzero(steps.activity == TRANSFERRED)
    changed = steps.who[moved] != sample.lives.first_agent[steps.ticket[moved]]
    assert changed.mean() > 0.95  # a group may have one agent for a language


def test_customers_are_customers_when_they_write(sample):
    rows = sample.tickets.customer != NOBODY
    day = sample.tickets.opened[rows] // MINUTES_A_DAY
    assert (day >= sample.customers.since[sample.tickets.customer[rows]]).all()


# --- volume ---


def test_demand_follows_the_week_the_feasts_and_nowruz(sample):
    """plan.toml [volume]: Friday .35 of a Tuesday, Eid al-Fitr .45, Nowruz .35 for those who write Persian."""
    days = days_of(plan())
    row = days.position(sample.tickets.opened)
    n = 365
    count = np.bincount(row, minlength=n)[:n]
    quiet = ~(days.ramadan | days.eid_fitr | days.eid_adha | days.nowruz)[:n]
    weekday = days.weekday[:n]
    friday, tuesday = (count[quiet & (weekday == day)].mean() for day in (5, 2))
    assert friday / tuesday == pytest.approx(0.35, abs=0.07)
    persian = np.bincount(row[sample.tickets.language == LANGUAGES.index("fa")], minlength=n)[:n] / count
    assert persian[days.nowruz[:n]].mean() < 0.6 * persian[~days.nowruz[:n]].mean()
    assert count[days.eid_fitr[:n]].mean() < 0.7 * count.mean()


def test_daily_counts_vary_more_than_poisson(sample):
    days = days_of(plan())
    count = np.bincount(days.position(sample.tickets.opened), minlength=365)[:365]
    tuesdays = count[days.weekday[:365] == 2]
    assert tuesdays.var(ddof=1) / tuesdays.mean() > 1.3


# --- clusters ---


@pytest.mark.parametrize("part", ["first_reply", "handling"])
def test_planted_agent_correlation_is_found_in_log_times(sample, part):
    """plan.toml: icc_agent .10 and .08; the ANOVA estimator, tickets of customers only."""
    noise = {"first_reply": sample.lives.reply_noise, "handling": sample.lives.handling_noise}[part]
    rows = sample.of_kind("customer")
    assert icc(noise[rows], sample.lives.first_agent[rows]) == pytest.approx(plan()[part]["icc_agent"], abs=0.04)
    assert icc(noise[rows], sample.tickets.customer[rows]) == pytest.approx(plan()[part]["icc_customer"], abs=0.03)


def test_one_customer_is_like_themself_in_satisfaction(sample):
    """plan.toml: icc_customer .15 on the latent scale; on the five points it is a little less."""
    rows = sample.of_kind("customer")
    assert 0.07 < icc(sample.scores.csat[rows].astype(float), sample.tickets.customer[rows]) < 0.16


# --- the change ---


def test_the_change_touches_the_emails_after_it_and_nothing_else(sample):
    change, changed = plan()["changes"]["email_triage"], sample.under("email_triage")
    moved = sample.lives.replied != sample.lives.replied_without
    email = sample.tickets.channel == CHANNELS.index(change["channel"])
    after = sample.tickets.opened >= MINUTES_A_DAY * day_number(change["on"])
    assert (changed == (email & after & sample.of_kind("customer"))).all()
    assert not moved[~changed].any()
    assert (sample.lives.replied <= sample.lives.replied_without).all()
    for score in ("csat", "ces"):
        told = getattr(sample.scores, score) != getattr(sample.scores, f"{score}_without")
        assert not told[~changed].any()
    assert (sample.scores.csat >= sample.scores.csat_without).all()
    assert (sample.scores.ces <= sample.scores.ces_without).all()


def test_a_simple_before_and_after_finds_the_planted_factor(sample):
    """plan.toml: working time to the first reply x 0.75; geometric means of normal e-mail, by agents."""
    lives, tickets = sample.lives, sample.tickets
    email = sample.of_kind("customer") & (tickets.channel == CHANNELS.index("email")) & (tickets.priority == 1)
    work = np.log(sample.clock.between(tickets.opened, lives.replied).clip(1))
    changed, differences = sample.under("email_triage"), []
    for agent in np.unique(lives.first_agent[email]):
        own = email & (lives.first_agent == agent)
        before, after = work[own & ~changed], work[own & changed]
        if len(before) > 30 and len(after) > 30:
            differences.append(after.mean() - before.mean())
    effect, error = np.mean(differences), np.std(differences, ddof=1) / math.sqrt(len(differences))
    assert error < 0.08
    assert effect == pytest.approx(math.log(0.75), abs=3 * error)


def test_the_change_leaves_one_touch_solutions_alone(sample):
    """One public reply and solved: as many e-mails after the change as before it (plan.toml: .16)."""
    replies = np.bincount(sample.steps.ticket[sample.steps.public], minlength=len(sample.tickets))
    email = sample.of_kind("customer") & (sample.tickets.channel == CHANNELS.index("email"))
    once, changed = (replies == 1) & (sample.lives.reopens == 0), sample.under("email_triage")
    assert once[changed].mean() == pytest.approx(once[email & ~changed].mean(), abs=0.03)


def test_the_change_moves_the_odds_of_satisfaction_and_not_the_resolution(sample):
    """A planted logit of .25 gives a little less in the whole population: odds ratios are not collapsible."""
    rows = sample.under("email_triage")
    with_it, without = (np.mean(s[rows] >= 4) for s in (sample.scores.csat, sample.scores.csat_without))
    logit = math.log(with_it / (1 - with_it)) - math.log(without / (1 - without))
    assert 0.15 < logit < 0.26
    email = sample.of_kind("customer") & (sample.tickets.channel == CHANNELS.index("email"))
    worked = np.log(sample.clock.between(sample.tickets.opened, sample.lives.first_solved).clip(1))
    spread = worked[email].std() * math.sqrt(1 / rows.sum() + 1 / (email & ~rows).sum())
    assert abs(worked[rows].mean() - worked[email & ~rows].mean()) < 4 * spread


def test_chats_closed_with_the_answer_come_back_more_often_and_take_less_work(sample):
    """plan.toml: a logit of .55 on the reopening, x .8 on the work; both found again by comparing before and after."""
    chat = sample.of_kind("customer") & (sample.tickets.channel == CHANNELS.index("chat"))
    after = sample.under("chat_closing")
    before = chat & ~after
    again = sample.lives.reopens > 0
    p, q = again[after].mean(), again[before].mean()
    logit = math.log(p / (1 - p)) - math.log(q / (1 - q))
    error = math.sqrt(1 / (after.sum() * p * (1 - p)) + 1 / (before.sum() * q * (1 - q)))
    assert error < 0.12
    assert logit == pytest.approx(0.55, abs=3 * error)
    step = np.log(sample.work[(sample.steps.activity == WORKING) & chat[sample.steps.ticket]])
    of = after[sample.steps.ticket[(sample.steps.activity == WORKING) & chat[sample.steps.ticket]]]
    assert step[of].mean() - step[~of].mean() == pytest.approx(math.log(0.8), abs=0.08)


def test_the_new_web_form_changes_nothing(sample):
    change = plan()["changes"]["web_form"]
    assert not {"first_reply_factor", "touch_factor", "csat_logit", "ces_logit", "reopening_logit"} & set(change)
    assert sample.under("web_form").sum() > 1500
    assert set(change["unchanged"]) >= {"first_reply_time", "resolution_time", "csat", "return_rate"}


# --- surveys and calls ---


def test_whether_customers_answer_depends_on_what_they_would_say(sample):
    """plan.toml [survey]: J-shaped; the channel factors average out to about one."""
    found, csat = sample.surveys, sample.scores.csat[sample.surveys.ticket]
    answered = found.answered < NEVER
    shares = [answered[csat == score].mean() for score in (1, 2, 3, 4, 5)]
    assert shares == pytest.approx(plan()["survey"]["answered"], abs=0.03)
    assert (found.csat[answered] == csat[answered]).all()
    assert (found.csat[~answered] == NO_ANSWER).all()


def test_those_who_answer_are_happier_than_all(sample):
    told = sample.surveys.csat[sample.surveys.answered < sample.end]
    assert (told >= 4).mean() > (sample.scores.csat[sample.of_kind("customer")] >= 4).mean() + 0.04


def test_callers_hang_up_as_often_as_planted(sample):
    """Oracle: simulate wait and patience directly, 400,000 callers."""
    part, rng = plan()["calls"], stream(5, "oracle")
    for peak, factor in ((False, 1.0), (True, part["peak_factor"])):
        wait = factor * part["wait"]["median"] * np.exp(part["wait"]["sigma"] * rng.standard_normal(400_000))
        gone = (wait > rng.exponential(part["patience_mean"], 400_000)).mean()
        assert abandoned_share(plan(), peak) == pytest.approx(gone, abs=0.003)


def test_the_calls_of_the_sample_show_the_planted_abandonment(sample):
    calls = sample.calls
    hour = calls.arrived // 3600 % 24
    for peak in (False, True):
        rows = np.isin(hour, plan()["calls"]["peak_hours"]) == peak
        answered, gone = ((calls.outcome[rows] == OUTCOMES.index(name)).sum() for name in ("answered", "abandoned"))
        assert gone / (gone + answered) == pytest.approx(abandoned_share(plan(), peak), abs=0.01)


def test_every_phone_ticket_has_its_call_and_its_wait(sample):
    phone = np.flatnonzero(sample.tickets.channel == CHANNELS.index("phone"))
    own = sample.calls.ticket != NOBODY
    assert sorted(sample.calls.ticket[own].tolist()) == phone.tolist()
    ticket = sample.calls.ticket[own]
    answered_at = sample.calls.arrived[own] + sample.calls.wait[own]
    assert (sample.calls.arrived[own] // 60 == sample.tickets.opened[ticket]).all()
    late = sample.lives.replied[ticket] * 60 - answered_at
    assert (late >= 0).all()
    assert (late <= 60).all()


def test_reopening_depends_on_the_agent(sample):
    """plan.toml [reopening] agent_sd .35 on the logit: the strictest and the loosest third of agents differ."""
    real, agents = sample.of_kind("customer"), sample.agents
    effect = agents.reopening[sample.lives.last_agent[real]]
    again = sample.lives.reopens[real] > 0
    low, high = np.quantile(agents.reopening, [1 / 3, 2 / 3])
    assert again[effect > high].mean() > again[effect < low].mean() + 0.03
    assert 0.05 < again.mean() < 0.20
    assert (sample.steps.activity == REOPENED).sum() == sample.lives.reopens.sum()


def test_logit_of_zero_is_one_half():
    assert logistic(np.array([0.0, math.log(3)])) == pytest.approx([0.5, 0.75])
