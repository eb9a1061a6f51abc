"""The demo's source files: what three departments export, made up, seeded, the same bytes for the same arguments.

One population is known to all departments, so that the people of the morning at the window (`CAST`) have what their
stories say. Bad rows are planted and counted: the demo's figures must equal them. The columns of each file, and what
they become, are tables in the docstrings of `traffic_police`, `household_bureau` and `market_regulation`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from gateway.demo.data import bad_rows, household_bureau, market_regulation, traffic_police
from gateway.demo.data.market_regulation import Business
from gateway.demo.data.people import CAST, Cast, Household, People, Person
from gateway.demo.data.source_file import PlantedFile, SourceFile
from gateway.demo.data.traffic_police import Owner

__all__ = ["CAST", "FILES", "Cast", "Planted", "PlantedFile", "generate"]

FILES: tuple[tuple[SourceFile, int], ...] = (  # with the rows at scale 1
    (traffic_police.DRIVING_LICENCES, 8000),
    (traffic_police.VEHICLES, 6000),
    (household_bureau.IDENTITY_CARDS, 5000),
    (household_bureau.HOUSEHOLDS, 3000),
    (market_regulation.BUSINESS_LICENCES, 3000),
    (market_regulation.HEALTH_CERTIFICATES, 2000),
)
HOUSEHOLDS_MADE = 4200
MIN_SCALE = 0.02
KEEP = 8  # rows at the top of each file that stay good: the cast
Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Planted:
    """What was written: the files, and the people to ask for."""

    files: tuple[PlantedFile, ...]
    cast: Cast

    @property
    def rows(self) -> int:
        """All rows of data, the bad ones included."""
        return sum(file.rows for file in self.files)

    @property
    def bad_rows(self) -> int:
        return sum(len(file.bad) for file in self.files)


@dataclass(frozen=True, slots=True)
class _City:
    """Everything that rows are made from."""

    rng: Random
    today: date
    households: Sequence[Household]
    adults: Sequence[Person]
    businesses: Sequence[Business]


def generate(directory: Path, seed: int = 1, scale: float = 1.0, today: date = date(2026, 3, 2)) -> Planted:
    """Write all files below `directory`, as `ADAPTER/NAME.csv`.

    `scale` multiplies the rows (at least `MIN_SCALE`; ValueError below). Statuses and validities are as of `today`.
    """
    if scale < MIN_SCALE:
        raise ValueError(f"scale is at least {MIN_SCALE}")
    city = _city(Random(seed), scale, today)  # noqa: S311 - not a secret
    return Planted(tuple(_file(directory, city, source, round(rows * scale)) for source, rows in FILES), CAST)


def _city(rng: Random, scale: float, today: date) -> _City:
    people = People(rng, today)
    households = people.households(round(HOUSEHOLDS_MADE * scale))
    adults = [person for household in households for person in household if person.adult(today)]
    taken = {member.credit_code for member in CAST}
    others = [person for person in adults if person not in _CAST_PEOPLE]
    founders = rng.sample(others, round(3000 * scale))
    businesses = [market_regulation.business_of(member) for member in CAST if member.credit_code]
    businesses += [market_regulation.business(rng, one, taken, people.address(one.district)) for one in founders]
    return _City(rng, today, households, adults, businesses)


def _file(directory: Path, city: _City, source: SourceFile, count: int) -> PlantedFile:
    rows = _ROWS[source.path](city, count)
    bad = bad_rows.plant(city.rng, rows, source.columns, source.weak, KEEP, each=max(1, count // 1000))
    source.write(directory, rows)
    return PlantedFile(source, len(rows), bad)


def _licences(city: _City, count: int) -> Rows:
    people = _chosen(city, count, tuple(member.person for member in CAST.known), city.adults)
    return [traffic_police.driving_licence(city.rng, person, city.today) for person in people]


def _vehicles(city: _City, count: int) -> Rows:
    plates = traffic_police.Plates()
    return [traffic_police.vehicle(city.rng, owner, plates, city.today) for owner in _owners(city, count)]


def _owners(city: _City, count: int) -> Iterator[Owner]:
    first = tuple(member.person for member in CAST if member.plate)
    for person in _chosen(city, count - count // 10, first, city.adults):
        yield Owner(person.name, "居民身份证", person.resident_number, person.address)
    for business in city.rng.sample(city.businesses[2:], count // 10):
        yield Owner(business.name, "营业执照", business.code, business.premises)


def _cards(city: _City, count: int) -> Rows:
    everyone = [person for household in city.households for person in household]
    people = _chosen(city, count, tuple(member.person for member in CAST.known), everyone)
    return [household_bureau.identity_card(city.rng, person, city.today) for person in people]


def _households(city: _City, count: int) -> Rows:
    numbered = enumerate(city.households[:count], start=1)
    return [household_bureau.household(city.rng, index, members, city.today) for index, members in numbered]


def _business_licences(city: _City, count: int) -> Rows:
    return [market_regulation.business_licence(city.rng, one, city.today) for one in city.businesses[:count]]


def _certificates(city: _City, count: int) -> Rows:
    first = tuple(member.person for member in CAST if member.credit_code)
    people = _chosen(city, count, first, [person for person in city.adults if _in_gbk(person.name)])
    own = {business.person: business.name for business in city.businesses}
    employers = [business.name for business in city.businesses]
    return [
        market_regulation.health_certificate(
            city.rng, index, person, own.get(person) or city.rng.choice(employers), city.today
        )
        for index, person in enumerate(people, start=1)
    ]


def _chosen(city: _City, count: int, first: tuple[Person, ...], pool: Sequence[Person]) -> list[Person]:
    """The named ones, then others of the pool, none twice and nobody of the cast by chance."""
    others = [person for person in pool if person not in _CAST_PEOPLE]
    return [*first, *city.rng.sample(others, count - len(first))]


def _in_gbk(name: str) -> bool:
    try:
        name.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True


_CAST_PEOPLE = frozenset(member.person for member in CAST)
_ROWS: dict[str, Callable[[_City, int], Rows]] = {
    traffic_police.DRIVING_LICENCES.path: _licences,
    traffic_police.VEHICLES.path: _vehicles,
    household_bureau.IDENTITY_CARDS.path: _cards,
    household_bureau.HOUSEHOLDS.path: _households,
    market_regulation.BUSINESS_LICENCES.path: _business_licences,
    market_regulation.HEALTH_CERTIFICATES.path: _certificates,
}
