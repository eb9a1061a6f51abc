"""From a checked body to a question."""

from gateway.access.question import BundleQuestion, ByHolder, ByKey, Purpose, Question, read_bundle, read_question

PURPOSE = {"service_item": "item", "case": "2026-1", "clerk": "zhang"}
HOLDER = {"scheme": "cn.ric", "id": "1"}


def test_by_holder() -> None:
    body = {**PURPOSE, "evidence_type": "cn.x", "by": {"holder": HOLDER}}
    assert read_question(body) == Question(Purpose("item", "2026-1", "zhang"), "cn.x", ByHolder("cn.ric", "1"))


def test_by_key_field_with_everything() -> None:
    body = {
        **PURPOSE, "terminal": "t", "channel": "kiosk", "evidence_type": "cn.x", "by": {"plate_number": "京A12345"},
        "fields": ["name"],
    }  # fmt: skip
    purpose = Purpose("item", "2026-1", "zhang", "t", "kiosk")
    assert read_question(body) == Question(purpose, "cn.x", ByKey("plate_number", "京A12345"), ("name",))


def test_bundle() -> None:
    assert read_bundle({**PURPOSE, "holder": HOLDER}) == BundleQuestion(
        Purpose("item", "2026-1", "zhang"), ByHolder("cn.ric", "1")
    )
