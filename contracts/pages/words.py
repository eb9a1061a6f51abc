"""What the pages call the words of contracts: one table for each, in both languages. Pure."""

from collections.abc import Mapping

from contracts.text import Text

SITE = Text("证照类型与事项目录", "Evidence types and service items")
TYPES = Text("证照类型", "Evidence types")
ITEMS = Text("事项", "Service items")
LANGUAGE_NAMES: Mapping[str, str] = {"zh-CN": "中文", "en": "English"}
YES = Text("是", "Yes")
NO = Text("否", "No")
STOP = Text(";", "; ")
COMMA = Text("、", ", ")

PHASES: Mapping[str, Text] = {
    "announced": Text("未施行", "Announced"),
    "in_force": Text("现行", "In force"),
    "deprecated": Text("将停用", "Deprecated"),
    "ended": Text("已停用", "Ended"),
}
SENSITIVITIES: Mapping[str, Text] = {
    "public": Text("公开", "Public"),
    "personal": Text("个人信息", "Personal"),
    "sensitive": Text("敏感个人信息", "Sensitive personal"),
}
HOLDER_ROLES: Mapping[str, Text] = {"applicant": Text("申请人", "The applicant")}
FORMATS: Mapping[str, Text] = {
    "date": Text("日期 YYYY-MM-DD", "date YYYY-MM-DD"),
    "cn.ric": Text("公民身份号码(GB 11643)", "resident identity number (GB 11643)"),
    "cn.uscc": Text("统一社会信用代码(GB 32100)", "unified social credit code (GB 32100)"),
    "cn.plate": Text("机动车号牌号码(GA 36)", "vehicle plate (GA 36)"),
    "cn.plate-kind": Text("号牌种类(GA/T 16.7)", "kind of plate (GA/T 16.7)"),
    "cn.plate-with-kind": Text("号牌种类与号牌号码", "kind of plate and plate"),
    "cn.licence-id": Text("电子证照标识(GB/T 36904)", "licence identifier (GB/T 36904)"),
    "cn.hk-mo-permit": Text("港澳居民来往内地通行证", "mainland travel permit, Hong Kong and Macao"),
    "cn.tw-permit": Text("台湾居民来往大陆通行证", "mainland travel permit, Taiwan"),
    "cn.travel-document": Text("中国护照、往来港澳台通行证", "Chinese passport or exit permit"),
    "cn.real-estate-unit": Text("不动产单元号(GB/T 37346)", "real-estate unit number (GB/T 37346)"),
    "cn.region": Text("行政区划代码(GB/T 2260)", "administrative division (GB/T 2260)"),
    "cn.name": Text("可见文字, 首尾无空格", "printable text, no spaces at its ends"),
    "passport": Text("外国护照", "foreign passport"),
    "vin": Text("车辆识别代号(GB 16735)", "vehicle identification number (ISO 3779)"),
}
COMPATIBILITIES: Mapping[str, Text] = {
    "BACKWARD": Text("新形式可读上一形式的数据", "The new form reads data of the last one"),
    "BACKWARD_TRANSITIVE": Text("新形式可读所有旧形式的数据", "The new form reads data of all former ones"),
    "FORWARD": Text("上一形式可读新形式的数据", "The last form reads data of the new one"),
    "FORWARD_TRANSITIVE": Text("所有旧形式可读新形式的数据", "All former forms read data of the new one"),
    "FULL": Text("新形式与上一形式可互读", "The new form and the last one read each other's data"),
    "FULL_TRANSITIVE": Text("新形式与所有旧形式可互读", "The new form and all former ones read each other's data"),
    "NONE": Text("不作保证", "Nothing is promised"),
}
