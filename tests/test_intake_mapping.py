"""Mappings: every mistake in one is named with the nearest right word; headers are found as people write them."""

from __future__ import annotations

import pytest

from cxkit.contract import load
from cxkit.errors import IntakeError
from cxkit.intake import find_mapping, parse, ready_made, recognise
from cxkit.intake.fold import bare, fold, shown
from cxkit.intake.source import find_places
from tests.exports import FOLDER, MAPPINGS

TICKETS = '[tables.tickets]\nticket_id = "Id"\n'


def refusal(text: str) -> str:
    with pytest.raises(IntakeError) as caught:
        parse("mine", text)
    assert all(caught.value.text(lang) for lang in ("ar", "fa"))
    return caught.value.text("en")


def test_the_ready_made_mappings_are_the_promised_ones():
    assert ready_made() == (
        "agents",
        "anonymous_bank",
        "asterisk_queue_log",
        "changes",
        "costs",
        "customers",
        "event_log",
        "help_centre",
        "orders",
        "priority_changes",
        "qa_reviews",
        "qualtrics_survey",
        "support_tickets",
        "ticket_comments",
        "zendesk_tickets",
    )


@pytest.mark.parametrize("name", ready_made())
def test_each_ready_made_mapping_names_the_key_of_its_tables(name):
    for table in find_mapping(name).tables:
        key = load().tables[table.name].key or load().tables[table.name].required
        assert key[0] in [rule.target.name for rule in table.columns]


@pytest.mark.parametrize(("file", "mapping"), MAPPINGS.items())
def test_each_fixture_is_recognised_by_its_header(file, mapping):
    assert recognise(FOLDER / file) == mapping


def test_an_unknown_header_is_not_recognised(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    assert recognise(tmp_path / "a.csv") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[tables.tickets]\nticket_idd = "Id"\n',
            "mine, tables.tickets: “ticket_idd” is not known. Did you mean “ticket_id”? There are: ",
        ),
        (
            '[tables.ticket]\nticket_id = "Id"\n',
            "mine, tables: “ticket” is not known. Did you mean “tickets”? There are: ",
        ),
        (
            TICKETS + 'opened_at = { column = "Created", format = "%Y" }\n',
            "mine, tables.tickets.opened_at: “format” is not known. Did you mean “formats”? There are: ",
        ),
        (
            TICKETS + 'channel = { column = "Via", values = { mail = ["Mail"] } }\n',
            "mine, tables.tickets.channel.values: “mail” is not known. Did you mean “email”? There are: ",
        ),
        (
            TICKETS + 'first_replied_at = { column = "FRT", unit = "minute", after = "opened_at" }\n',
            "mine, tables.tickets.first_replied_at.unit: “minute” is not known. Did you mean “minutes”? There are: ",
        ),
        (
            '[tables.calls]\ncall_id = "id"\nwait_seconds = "wait"\n',
            "mine, tables.calls.wait_seconds.unit: “None” is not known. There are: ",
        ),
        (
            TICKETS + 'opened_at = { column = "C", calendar = "jalaali" }\n',
            "“jalaali” is not known. Did you mean “jalali”?",
        ),
        (
            '[tables.costs]\nbooked_on = "Day"\namount = { column = "S", unit = "per cent" }\n',
            "mine, tables.costs.amount.unit: “per cent” is not known. Did you mean “percent”?",
        ),
        (TICKETS + 'opened_at = { column = "C", order = "ymd" }\n', "“ymd” is not known. Did you mean “mdy”?"),
        ("heder_rows = 2\n" + TICKETS, "mine, -: “heder_rows” is not known. Did you mean “header_rows”?"),
        (
            TICKETS + 'opened_at = { column = "C", formats = ["%Q-%m-%d"] }\n',
            "Mapping “mine”, tables.tickets.opened_at: the format sign %Q is not known.",
        ),
        ('time_zone = "Asia/Riyad"\n' + TICKETS, "mine.toml: there is no time zone “Asia/Riyad”."),
        (
            TICKETS + 'first_replied_at = { column = "FRT", unit = "hours", after = "opend_at" }\n',
            "mine, tables.tickets.first_replied_at.after: “opend_at” is not known. Did you mean “opened_at”?",
        ),
        (
            TICKETS,
            "Mapping “mine” does not say which source column feeds opened_at of the table tickets,",
        ),
        ('header_rows = "1"\n' + TICKETS, "is not written as a mapping must be: header_rows."),
        ('separator = ";;"\n' + TICKETS, "is not written as a mapping must be: separator."),
        ('[drop]\nrule = "r"\n' + TICKETS, "is not written as a mapping must be: [[drop]]."),
        ("[tables.tickets\n", "mine.toml is not valid TOML: line 1, column 16."),
        ('tables = ["tickets"]\n', "Mapping “mine” is not written as a mapping must be: "),
        ("header_rows = 1\n", "Mapping “mine” has no part [tables], so nothing could come of it."),
        (
            TICKETS + '[items.csat]\ncolumn = "CSAT"\n',
            "Mapping “mine” has no part [tables.survey_answers], so nothing could come of it.",
        ),
    ],
)
def test_every_mistake_is_named_with_the_nearest_right_word(text, says):
    assert says in refusal(text)


def test_an_unknown_mapping_is_named_with_the_nearest_one():
    with pytest.raises(IntakeError) as caught:
        find_mapping("zendesk_ticket")
    assert caught.value.text("en").startswith("There is no mapping “zendesk_ticket”. Did you mean “zendesk_tickets”?")


def test_a_studys_own_mapping_builds_on_a_ready_made_one(tmp_path):
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "qualtrics_survey.toml").write_text(
        'extends = "qualtrics_survey"\n[items.csat]\ncolumn = "Q7"\nscale = [1, 7]\n'
        '[tables.surveys]\nticket_id = "Fall"\n',
        "utf-8",
    )
    own, kit = find_mapping("qualtrics_survey", tmp_path), find_mapping("qualtrics_survey")
    assert own.header_rows == 3
    assert [item.name for item in own.items] == [item.name for item in kit.items]
    assert (own.items[0].sources, own.items[0].scale, own.items[0].values) == (("Q7",), (1, 7), {})
    assert own.items[1:] == kit.items[1:]
    surveys = {rule.target.name: rule.sources for rule in own.tables[0].columns}
    assert surveys["ticket_id"] == ("Fall",)
    assert surveys["response_id"] == ("ResponseId",)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("\ufeffCreated at", "created_at"), ("  CREATED   AT ", "Created at"), ("تعليق\u200f", "تعلیق"), ("كود", "کود"),
        ("مُمْتاز", "ممتاز"), ("نام‌خانوادگی", "نامخانوادگی"), ("Ｉｄ", "id"), ("سؤال ۱", "سوال 1"),
    ],
)  # fmt: skip
def test_headers_that_look_alike_are_alike(written, meant):
    assert fold(written) == fold(meant)


def test_the_example_of_the_readme_is_a_mapping(root):
    readme = (root / "cxkit" / "intake" / "mappings" / "README.md").read_text("utf-8")
    example = readme.split("```toml\n")[2].partition("```")[0]
    assert [table.name for table in parse("example", example).tables] == ["tickets"]


def test_a_custom_field_is_found_without_its_type():
    headers = ("Topic [list]", "Topic", "Refund days [int]")
    assert bare(fold(headers[0])) == "topic"
    assert find_places(headers, ("Topic",)) == (1,)
    assert find_places(headers, ("refund_days", "TOPIC [list]")) == (2, 0)


def test_a_header_that_looks_like_a_persons_data_is_hidden():
    """A file without a header has a customer in its first row."""
    assert shown("sara@example.com") == shown("0912 1234567") == shown("۰۹۱۲۱۲۳۴۵۶۷") == "(…)"
    assert shown("First reply time in minutes") == "First reply time in minutes"
    assert len(shown("x" * 500)) == 60
