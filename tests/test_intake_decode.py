"""Which encoding, which separator: the bytes of an export become the text that was meant, or are refused."""

from __future__ import annotations

import pytest

from cxkit.errors import IntakeError
from cxkit.intake.decode import decode, sniff_separator, split_hint

ARABIC = "رقم,الاسم,التعليق\n1,منى عبد الله,لم يصل الطلب بعد\n2,سارة الخطيب,شكرا على السرعة\n"
PERSIAN = (
    "رقم,نام,توضيح\n1,رضا كريمي,پول من برنگشته است\n2,ژاله گلپايگاني,چرا پاسخ نداديد\n"  # cp1256 has no Persian yeh
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1256")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", [ARABIC, PERSIAN], ids=["ar", "fa"])
def test_arabic_and_persian_are_read_in_every_usual_encoding(text, encoding):
    """A cut of locale.md 5.1: detectors from the shelf read 85 % of these."""
    assert decode(text.encode(encoding)).text == text


def test_iso_8859_6_is_told_from_cp1256_by_its_letters():
    assert decode(ARABIC.encode("iso-8859-6")).encoding == "iso-8859-6"


@pytest.mark.parametrize("name", ["منى", "سارة الخطيب", "رضا كريمي", "عمر", "ليلى حداد", "گلپايگاني"])
def test_one_arabic_name_in_an_english_file_is_enough(name):
    """Sparse Arabic: general detectors read 18 of 100 such files (locale.md 5.1)."""
    text = "id,name,topic\n" + "".join(f"{i},Anna Keller,delivery\n" for i in range(200)) + f"201,{name},refund\n"
    assert decode(text.encode("cp1256")).text == text


@pytest.mark.parametrize(
    "words", ["déjà reçu", "Müller, Zoë", "à la maison été", "señor Núñez", "Größe ändern", "£5 – “late”"]
)
def test_western_accents_are_read_as_cp1252(words):
    text = "id,comment\n" + "".join(f"{i},late delivery\n" for i in range(50)) + f"51,{words}\n"
    assert decode(text.encode("cp1252")).text == text


def test_a_guess_is_told():
    decoded = decode(ARABIC.encode("cp1256"))
    assert [note.text("en") for note in decoded.notes] == [
        "The file is not UTF-8 and was read as cp1256. Look at some names; if they are garbled, state the encoding in "
        "study.toml."
    ]


def test_a_last_character_that_was_cut_off_is_dropped_with_a_note():
    decoded = decode("id,name\n1,سارة".encode()[:-1])
    assert decoded.text == "id,name\n1,سار"
    assert decoded.notes[0].key == "intake.note.cut_off"


def test_a_file_of_two_encodings_is_refused():
    raw = "id,name\n1,منى\n2,سارة\n".encode() + "3,رضا\n".encode("cp1256")
    with pytest.raises(IntakeError) as refusal:
        decode(raw, "exports/a.csv")
    assert refusal.value.text("en") == (
        "exports/a.csv is mostly UTF-8, but not in line 4: the file was put together from two encodings. "
        "Save each part as UTF-8, or state one encoding in study.toml."
    )


def test_a_declared_encoding_is_believed_or_refused_never_replaced():
    assert decode("é".encode("latin-1"), encoding="latin-1").text == "é"
    with pytest.raises(IntakeError) as refusal:
        decode(b"id\n\xff\xfe\xfd\n", "a.csv", encoding="utf-8")
    assert refusal.value.text("en") == (
        "a.csv, line 2: cannot be read as utf-8. State the right encoding for this export in study.toml, "
        "or save the file as UTF-8."
    )
    with pytest.raises(IntakeError) as refusal:
        decode(b"id\n", "a.csv", encoding="utf-9")
    assert refusal.value.code == "intake_unknown_encoding"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"PK\x03\x04rest", "a zip archive or an Excel workbook"),
        (b"\xd0\xcf\x11\xe0rest", "an old Excel workbook"),
        (b"\x1f\x8brest", "a gzip archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"id\x00\x01\x02name\x00", "binary data"),
    ],
)
def test_what_is_no_text_is_refused_before_anything_opens_it(raw, kind):
    """A zip bomb is never unpacked: workbooks are refused by their first bytes."""
    with pytest.raises(IntakeError) as refusal:
        decode(raw, "a.csv")
    assert refusal.value.text("en") == f"a.csv is not a text file ({kind}). Unpack it, or save it as CSV UTF-8."


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_that_cuts_all_records_alike(separator):
    rows = [["id", "note"], ["1", "a, b; c | d\te"], ["2", "plain"]]
    text = "\n".join(separator.join(f'"{cell}"' for cell in row) for row in rows)
    assert sniff_separator(text) == separator


def test_a_single_column_has_a_comma():
    assert sniff_separator("id\n1\n2\n") == ","
    assert sniff_separator("") == ","


def test_excels_first_line_names_the_separator():
    assert split_hint("sep=;\r\nid;name\r\n") == ("id;name\r\n", ";")
    assert split_hint("september,1\n") == ("september,1\n", None)
