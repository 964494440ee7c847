"""A simulated service with known truth: its exports as real tools write them, and the numbers that were planted.

The data-generating process, in order (numbers in `plan.toml`, all invented):

1. Contacts come by day (weekday, Ramadan, Eid, Nowruz, sale, growth, overdispersed noise), by hour, from customers who
   write unequally often; 50/30/20 % write Arabic, Persian, English.
2. A ticket waits for its first reply, is worked on, takes detours (questions to the customer, transfer, escalation,
   hold), is solved, perhaps reopened, and closes by itself four days after the last solution. Working times are
   log-normal with a slow tail, agents and customers have effects of their own, and work rests while the desk is closed.
3. Every life is lived to its end. The exports show only what happened before `as_of`; `truth.toml` has it all.
4. Every customer has an opinion (CSAT, NPS, CES). Whether they tell depends on it.
5. The team changes its ways on known days: the triage of e-mail (first replies come sooner, CSAT rises, CES falls), the
   closing of chats (less work, more of them come back), a web form (nothing); all else stays.
6. Around the desk, without reaching back into it: customers buy in rhythms of their own, less after bad service; they
   visit the help centre before, instead of or without a ticket; reviewers read a sample of tickets; books are kept.
7. The files get the small faults of real ones: repeated rows, unreadable cells, digits of three scripts, a code page.
"""

from __future__ import annotations

from pathlib import Path

from cxkit.errors import ParameterError
from cxkit.samples.service import Sample, simulate

SEED = 20260701
FEWEST, MOST = 200, 1_000_000

__all__ = ["SEED", "Sample", "make_sample", "simulate"]


def make_sample(into: Path, seed: int = SEED, tickets: int = 20_000) -> Path:
    """Write the sample study into the folder `into` and return it: exports, study.toml, mapping, truth.toml.

    The same seed and size give the same bytes. `tickets` (200 to 1,000,000) is the number aimed at; follow-ups make it
    vary by a little. study.toml comes last, so that half a sample is no study. ParameterError for another size, and
    where the folder holds a study that is no sample.
    """
    if not FEWEST <= tickets <= MOST:
        raise ParameterError("sample_size", tickets=tickets, fewest=FEWEST, most=MOST)
    from cxkit.samples import exports, records, study_files, voices
    from cxkit.samples.business import business_of
    from cxkit.samples.helpdesk import seen_at
    from cxkit.samples.queue_log import write_queue_log
    from cxkit.samples.truth import truth

    into = Path(into)
    study_files.clear_study(into)
    folder = into / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    sample = simulate(seed, tickets)
    desk, business, names = seen_at(sample), business_of(sample), exports.customer_names(sample)
    comments = voices.survey_comments(sample)
    faults = {
        "tickets": exports.write_tickets(sample, desk, names, folder),
        "events": exports.write_events(sample, desk, folder),
        "customers": exports.write_customers(sample, names, folder),
        "survey": voices.write_survey(sample, comments, folder),
        **records.write_records(sample, business, folder),
    }
    exports.write_agents(sample, folder)
    voices.write_invitations(sample, folder)
    voices.write_comments(sample, desk, folder)
    write_queue_log(sample, folder)
    study_files.write_truth(sample, truth(sample, desk, business, comments, faults), into)
    study_files.write_study(sample, into)
    return into
