"""The shop around the service desk: its orders, its help centre, its quality desk, its books."""

from __future__ import annotations

from dataclasses import dataclass

from cxkit.samples.costs import Postings, make_postings
from cxkit.samples.help_centre import Visits, make_visits
from cxkit.samples.reviews import Reviews, make_reviews
from cxkit.samples.service import Sample
from cxkit.samples.shop import Orders, make_orders


@dataclass(frozen=True, eq=False)
class Business:
    """What other systems than the help desk know of a sample."""

    orders: Orders
    visits: Visits
    reviews: Reviews
    postings: Postings


def business_of(sample: Sample) -> Business:
    """The business around `sample`; nothing in the service itself depends on it."""
    return Business(make_orders(sample), make_visits(sample), make_reviews(sample), make_postings(sample))
