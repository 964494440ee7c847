"""The pages that lead to the reports: one per period, and one for all studies, in the three languages side by side."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cxkit.lang import LANGS, say
from cxkit.report import manifest
from cxkit.report.html import page
from cxkit.report.source import last_day


def period_page(record: Mapping[str, Any]) -> str:
    """The page of one period: per language the titles of its reports, with their state."""
    langs = [lang for lang in LANGS if any(e["lang"] == lang for e in record["reports"])]
    return page("period.html.j2", lang=langs[0] if langs else "en", shelves=[_shelf(record, g) for g in langs])


def _shelf(record: Mapping[str, Any], lang: str) -> dict[str, Any]:
    return {
        "lang": lang,
        "title": record["titles"].get(lang, record["study"]),
        "as_of": _as_of(record, lang),
        "reports": [_line(e, record["data"]["digest"]) for e in record["reports"] if e["lang"] == lang],
    }


def _line(entry: Mapping[str, Any], digest: str) -> dict[str, Any]:
    links = {kind: quote(file["path"]) for kind, file in entry["files"].items()}
    return {
        "title": entry.get("title") or entry["notebook"],
        "html": links.get("html", ""),
        "json": links.get("json", ""),
        "ipynb": links.get("ipynb", ""),
        "failed": quote(entry["failure_page"]) if entry["status"] != "ok" else "",
        "older": bool(links) and entry.get("data") != digest,
    }


def _as_of(record: Mapping[str, Any], lang: str) -> str:
    as_of = dt.datetime.fromisoformat(record["as_of"].rstrip("Z"))
    return say("report.as_of", lang, day=last_day(as_of, record["time_zone"]))


def shelf_page(out: Path) -> str:
    """The page of all studies below `out`, each with its periods, newest first."""
    periods: dict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    for file in sorted(out.glob(f"[!.]*/[!.]*/{manifest.FILE}")):
        record = manifest.read(file.parent)
        if {"study", "as_of", "titles", "time_zone", "reports"} <= record.keys():
            link = f"{quote(file.parent.parent.name)}/{quote(file.parent.name)}/index.html"
            periods[record["study"]].append((link, record))
    shelves = [{"lang": lang, "studies": [_study(p, lang) for _, p in sorted(periods.items())]} for lang in LANGS]
    return page("shelf.html.j2", lang="en", shelves=shelves)


def _study(periods: list[tuple[str, Mapping[str, Any]]], lang: str) -> dict[str, Any]:
    newest_first = sorted(periods, key=lambda p: (p[1]["as_of"], p[0]), reverse=True)
    return {
        "title": newest_first[0][1]["titles"].get(lang, newest_first[0][1]["study"]),
        "periods": [
            {
                "link": link,
                "as_of": _as_of(record, lang),
                "period": "" if record["period"] == record["as_of"][:10] else record["period"],
                "failed": sum(e["status"] != "ok" for e in record["reports"]),
            }
            for link, record in newest_first
        ],
    }
