"""What may be wrong with a package, in words, and the exception that carries it to the end of the work."""

from dataclasses import dataclass

from contracts.text import Text

MISSING = Text("文件包缺少该文件", "the package lacks this file")
STRAY = Text("清单之外的文件", "a file that the manifest does not list")
ALTERED = Text("内容与清单中的大小或摘要不符", "differs from its size or digests in the manifest")
MANIFEST = Text("清单格式不对或被改动", "the manifest is malformed or was altered")
FILES = Text("清单所列文件与其内容不一致", "the manifest's list of files is not that of its contents")
TIME = Text("压缩包内的时间与清单不符", "the time of the files is not the manifest's")
KEY = Text("公钥与清单不符", "the key is not the one in the manifest")
NOT_PINNED = Text("与 --vkey 给出的同名公钥不同", "another key than the one of this name that was given with --vkey")
NONE_GIVEN = Text("--vkey 给出的公钥均未在其中签名", "none of the keys given with --vkey has signed anything in it")
HEAD = Text("检查点签名无效", "the checkpoint's signatures do not verify")
LINE = Text("格式不对或被改动", "malformed, or altered")
ENDS = Text("比应有的条数少", "has fewer entries than it must have")
SURPLUS = Text("比应有的条数多", "has more entries than it must have")
ORDER = Text(
    "序号、日志或位置不按次序(移动、重复或缺失)", "number, log or position out of order (moved, doubled or lost)"
)
PROOF = Text("证明不成立", "the proof does not hold")
OUTSIDE = Text("不在所述查询范围之内", "not within the question that the package states")
BEYOND = Text("位置在清单所述查询范围之后", "beyond what the manifest says was searched")
COMMIT = Text("密封内容与记录的 commit 不符", "the opening is not the one that the record committed to")
ROW = Text("表格与记录不符", "the table is not what the record gives")
COUNT = Text("条数与清单不符", "the count is not the manifest's")
ONE_KEY = Text("两名提取人的公钥相同", "both extractors have the same key")
UNSIGNED = Text("给出了该提取人的公钥,文件包却无其签名", "not signed by an extractor whose key was given")
SIGNATURE = Text("提取人签名无效", "the extractors' signatures do not verify")


@dataclass(frozen=True, slots=True)
class Difference:
    """What does not fit: the file of the package, the record's number (0: none), and how."""

    file: str
    record: int
    what: Text
    detail: str = ""


class Differs(Exception):
    """Ends the work."""

    def __init__(self, file: str, record: int, what: Text, detail: str = "") -> None:
        super().__init__(file, record, what.en)
        self.difference = Difference(file, record, what, detail)
