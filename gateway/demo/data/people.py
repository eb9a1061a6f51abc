"""One population for all three departments, so that the same person is known to each. Pure, seeded.

1. Households come first: a head, mostly a spouse, and children; everyone has a resident number that checks.
2. The cast of the morning at the window is fixed: the same names and numbers whatever the seed (`CAST`).
3. No resident number is given twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from contracts.identifiers import credit_check_character, resident_check_digit
from gateway.demo.data.vocabulary import (
    BIRTHPLACES,
    CITY,
    DISTRICTS,
    ETHNIC_GROUPS,
    FEMALE,
    MALE,
    MINORITY_NAMES,
    RARE,
    STREETS,
    WEIGHED_SURNAMES,
)

SEXES = ("男", "女")
ADULT_DAYS = 19 * 366
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the city. `district` indexes `DISTRICTS`."""

    name: str
    sex: str
    ethnic_group: str
    born: date
    resident_number: str
    address: str
    district: int

    def adult(self, today: date) -> bool:
        return (today - self.born).days > ADULT_DAYS


Household = tuple[Person, ...]  # the head first


@dataclass(frozen=True, slots=True)
class CastMember:
    """Somebody who comes to the window. What a file does not hold about them is ""."""

    person: Person
    story: str
    credit_code: str = ""
    plate: str = ""
    vin: str = ""


def _cast_person(name: str, sex: str, group: str, first17: str, street: str) -> Person:
    born = date(int(first17[6:10]), int(first17[10:12]), int(first17[12:14]))
    number = first17 + resident_check_digit(first17)
    return Person(name, sex, group, born, number, f"{CITY}{DISTRICTS[0][1]}{street}", 0)


@dataclass(frozen=True, slots=True)
class Cast:
    """The people of the morning, each with the story that the files tell about them."""

    restaurateur: CastMember
    seller: CastMember
    settler: CastMember
    lapsed_cook: CastMember
    revoked_driver: CastMember
    stranger: CastMember

    def __iter__(self) -> Iterator[CastMember]:
        yield from (
            self.restaurateur, self.seller, self.settler, self.lapsed_cook, self.revoked_driver, self.stranger,
        )  # fmt: skip

    @property
    def known(self) -> tuple[CastMember, ...]:
        """All whom the departments know."""
        return tuple(member for member in self if member is not self.stranger)


def credit_code(prefix: str, region: str, organisation8: str) -> str:
    """A credit code (GB 32100) around an organisation code with its own check character (GB 11714)."""
    values = (int(one, 36) for one in organisation8)
    remainder = sum(weight * value for weight, value in zip(_ORGANISATION_WEIGHTS, values, strict=True)) % 11
    first17 = prefix + region + organisation8 + "0X987654321"[remainder]
    return first17 + credit_check_character(first17)


CAST = Cast(
    CastMember(
        _cast_person("周晓兰", "女", "汉族", "43010219870316282", "芙蓉路88号3栋502室"),
        "opens a restaurant: identity card, business licence and health certificate are all valid",
        credit_code("92", "430102", "MA4QX7K1"),
        "湘ZA6K88",
        "LFVNV2182J2100088",
    ),
    CastMember(
        _cast_person("阿依古丽·买买提", "女", "维吾尔族", "43010319901107264", "书院路17号"),
        "sells her car: free of mortgage and seizure",
        plate="湘ZD10523",
        vin="LGXC76C49M0105230",
    ),
    CastMember(
        _cast_person("欧阳䶮", "男", "汉族", "43020419850522171", "桂花路6号1栋1101室"),
        "settles his household; his name needs GB 18030",
    ),
    CastMember(
        _cast_person("陈建军", "男", "汉族", "42010619780809251", "东风路230号"),
        "runs a snack bar; his health certificate has expired",
        credit_code("92", "430102", "MA4R02C9"),
    ),
    CastMember(
        _cast_person("吉克·阿木", "男", "彝族", "53010219930214093", "青山路5号"),
        "his driving licence was revoked, his van is seized",
        plate="湘ZB20K6",
        vin="LZWADAGA8KB200600",
    ),
    CastMember(
        _cast_person("林远", "男", "汉族", "44030519991231451", "和平街1号"),
        "new in the city: no department has a record",
    ),
)


class People:
    """Makes households; remembers the resident numbers that are taken."""

    def __init__(self, rng: Random, today: date) -> None:
        self._rng = rng
        self._today = today
        self._taken = {member.person.resident_number for member in CAST}

    def households(self, count: int) -> list[Household]:
        """`count` households: the known cast in the first ones, each with a made-up family."""
        heads = [member.person for member in CAST.known]
        return [self._household(head) for head in heads] + [self._household(None) for _ in range(count - len(heads))]

    def _household(self, given: Person | None) -> Household:
        rng = self._rng
        if given is None:
            district = rng.randrange(len(DISTRICTS))
            head = self._person(rng.randrange(22, 82), self.address(district), district, rng.choice(SEXES))
        else:
            head = given
        size = rng.choice((1, 2, 2, 3, 3, 3, 4, 4, 5))
        return (head, *(self._member(head, place) for place in range(1, size)))

    def _member(self, head: Person, place: int) -> Person:
        age = (self._today - head.born).days // 365
        if place == 1:
            years = max(20, age + self._rng.randrange(-4, 5))
            return self._person(years, head.address, head.district, "男" if head.sex == "女" else "女")
        years = max(1, age - self._rng.randrange(22, 36))
        return self._person(years, head.address, head.district, self._rng.choice(SEXES), _surname(head.name))

    def _person(self, years: int, address: str, district: int, sex: str, surname: str = "") -> Person:
        rng = self._rng
        born = self._today - timedelta(days=years * 365 + rng.randrange(365))
        name, group = self._name(sex, surname)
        return Person(name, sex, group, born, self._resident_number(born, sex), address, district)

    def _name(self, sex: str, surname: str) -> tuple[str, str]:
        rng = self._rng
        draw = rng.random()
        if draw < 0.012 and not surname:
            written = "male" if sex == "男" else "female"
            return rng.choice([(name, group) for name, group, of in MINORITY_NAMES if of == written])
        pool = MALE if sex == "男" else FEMALE
        given = rng.choice(RARE) if draw > 0.994 else rng.choice(pool)
        second = rng.choice(pool) if rng.random() < 0.7 else ""
        return (surname or rng.choice(WEIGHED_SURNAMES)) + given + second, rng.choice(ETHNIC_GROUPS)

    def _resident_number(self, born: date, sex: str) -> str:
        while True:
            sequence = self._rng.randrange(500) * 2 + (1 if sex == "男" else 0)
            first17 = f"{self._rng.choice(BIRTHPLACES)}{born:%Y%m%d}{sequence:03}"
            number = first17 + resident_check_digit(first17)
            if number not in self._taken:
                self._taken.add(number)
                return number

    def address(self, district: int) -> str:
        """A home in a district (an index of `DISTRICTS`)."""
        rng = self._rng
        street, house = rng.choice(STREETS), rng.randrange(1, 400)
        room = f"{rng.randrange(1, 30)}栋{rng.randrange(1, 33)}{rng.randrange(1, 7):02}室"
        return f"{CITY}{DISTRICTS[district][1]}{street}{house}号{room}"


def _surname(name: str) -> str:
    if "·" in name:
        return ""
    return name[:2] if name[:2] in WEIGHED_SURNAMES else name[0]


def organisation_code(rng: Random) -> str:
    """The first eight characters of an organisation code, as given since 2015."""
    return "MA" + "".join(rng.choices(_CODE_ALPHABET, k=6))
