"""Things that cannot have happened in the order in which they are written down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cxkit.contract import Rule, load
from cxkit.figures import BAD, GOOD, INK, WARN, finish, legend, own_axes
from cxkit.lang import Coded, Sentence, say
from cxkit.result import Result, not_answerable

if TYPE_CHECKING:
    from cxkit.study import Study


@dataclass(frozen=True, eq=False)
class Orders(Result):
    """One row a rule on two times: rows that have both, and rows in which the later one comes first."""

    formats: ClassVar = {
        "order_rule": "code",
        "table": "code",
        "base": "count",
        "n": "count",
        "share": "share",
        "order_verdict": "code",
    }
    size: ClassVar = (8.0, 3.8)

    def sentences(self) -> tuple[Sentence, ...]:
        """The order that is broken most often, and how many are never broken."""
        worst = self.table.sort_values("share", ascending=False, kind="stable").iloc[0]
        checked = {"checked": len(self.table), "kept": int((self.table["n"] == 0).sum())}
        if worst["n"] == 0:
            return (Sentence("check.orders.clean", checked),)
        named = {
            "order": Coded("order_rule", worst["order_rule"]),
            "share": float(worst["share"]),
            "n": int(worst["n"]),
        }
        return Sentence("check.orders.worst", {**named, "base": int(worst["base"])}), Sentence(
            "check.orders.count", checked
        )

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Share of impossible rows for each rule, with the share above which the gate stops the data."""
        ax = own_axes(ax, lang, self.size)
        shown = self.table[::-1]
        place = np.arange(len(shown))
        colours = shown["order_verdict"].map({"kept": GOOD, "some": WARN, "many": BAD}).tolist()
        ax.barh(place, shown["share"], color=colours, height=0.6)
        kept = (shown["order_verdict"] == "kept").to_numpy()
        ax.scatter(shown["share"][kept], place[kept], color=GOOD, s=26, zorder=3, clip_on=False)
        limit = float(shown["stop_above"].min())
        ax.axvline(limit, color=INK, linewidth=1, linestyle="--", label=say("check.orders.limit", lang))
        legend(ax, lang, loc="upper center", bbox_to_anchor=(0.5, -0.16))
        ax.set_yticks(place, [Coded("order_rule", rule).text(lang) for rule in shown["order_rule"]])
        ax.set_xlim(0, max(0.06, float(shown["share"].max()) * 1.15))
        ax.set_xlabel(say("check.orders.axis", lang))
        finish(ax, lang, kind="categories", unit="percent", value_axis="x")
        ax.xaxis.set_major_locator(
            MaxNLocator(6, steps=[1, 2, 5, 10])
        )  # whole percents, or their tick labels would lie
        return ax


def orders(study: Study) -> Result:
    """Every rule of the contract on the order of two times, checked where the data live, the kept ones too."""
    rows = [row for rule in load().rules if rule.kind == "order" for row in _checked(study, rule)]
    if not rows:
        return not_answerable("check.question.orders", ("tickets.opened_at", "tickets.solved_at"))
    table = pd.DataFrame(rows)
    table["share"] = table["n"] / table["base"]
    many = table["share"] > table["stop_above"]
    table["order_verdict"] = np.where(table["n"] == 0, "kept", np.where(many, "many", "some"))
    return Orders(table)


def _checked(study: Study, rule: Rule) -> Iterator[dict[str, Any]]:
    earlier, later = rule.settings["earlier"], rule.settings["later"]
    name = str(rule.table)
    later = next((one for one in np.atleast_1d(later).tolist() if study.has(name, one)), None)
    if later is None or not study.has(name, earlier):
        return
    table = study.table(name)
    both = table[earlier].notnull() & table[later].notnull()
    counts = (
        table.aggregate(base=both.sum(), n=(both & (table[later] < table[earlier])).sum()).to_pyarrow().to_pylist()[0]
    )
    if counts["base"]:
        known = {"order_rule": rule.id, "table": name, "earlier": earlier, "later": later}
        yield {**known, "base": int(counts["base"]), "n": int(counts["n"]), "stop_above": rule.stop_above_share}
