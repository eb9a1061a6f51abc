"""`oncegate`: the command line of a node and of control. Every command imports its room when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.edge.output import command_line, emit_json, run, say
from contracts.text import Text
from gateway.audit_cli import app as audit

app = command_line(
    "oncegate", "A data-sharing exchange gateway: signed evidence in, audited lookups out. 政务数据共享交换网关。"
)
control = command_line("control", "Build, sign and publish the registry. 构建、签发并发布注册库。")
topics = command_line("topics", "The topics of an installation. 安装所需的主题。")
store = command_line("store", "The stores of a node: build one beside another, switch. 节点的存储。")
app.add_typer(control)
app.add_typer(store)
app.add_typer(topics)
app.add_typer(audit)
contracts = command_line("contracts", "Write and check evidence types and service items. 编写与核对证照类型和事项。")
app.add_typer(contracts)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object. 输出 JSON。")]
Config = Annotated[Path, typer.Option("--config", "-c", help="The node's configuration file. 节点配置文件。")]
Registry = Annotated[Path, typer.Argument(help="The directory of registry TOML files. 注册库目录。")]
Built = Annotated[
    Path | None,
    typer.Option("--registry", help="A built registry directory instead of the log's registry. 已构建的注册库目录。"),
]
DEFAULT_CONFIG = Path("oncegate.toml")
DEMO_DIR = Path(".demo")


@control.command("new-root")
def new_root(
    key: Annotated[Path, typer.Argument(help="Where the private key (PEM) goes; the public one beside it. 私钥文件。")],
    alg: Annotated[str, typer.Option(help="ES256, ES384 or EdDSA. 算法。")] = "EdDSA",
) -> None:
    """Create the root key that signs the registry. Keep it offline. 生成根密钥,请离线保管。"""
    from contracts.edge import keys

    public = keys.create_signing_key(key, alg).public
    pin = key.with_suffix(".pub" + key.suffix)
    keys.write_public_key(pin, public)
    say(Text(f"私钥 {key};各节点固定公钥 {pin}", f"Private key {key}; nodes pin {pin}"))


@app.command()
def keygen(
    kind: Annotated[
        str, typer.Argument(help="node, app, zone, auditor, recovery, store, audit-log, webhook. 密钥用途。")
    ],
    key: Annotated[Path, typer.Argument(help="Where the private key goes; what to register beside it. 私钥文件。")],
    alg: Annotated[str, typer.Option(help="Of node and app: ES256, ES384 or EdDSA. 算法。")] = "ES256",
    origin: Annotated[str, typer.Option(help="Of an audit log: its name, as in the registry. 日志名称。")] = "",
) -> None:
    """Create a key of an installation. 生成安装所需的密钥。"""
    from contracts.errors import UserError
    from gateway.keygen import KINDS, create

    if kind not in KINDS:
        what = Text(f"没有这种密钥:{kind}", f"There is no key of the kind {kind}")
        raise UserError(what, remedy=Text(f"可选:{', '.join(KINDS)}。", f"One of: {', '.join(KINDS)}."))
    public = create(kind, key, alg, origin)
    registered = Text(f";登记用文件 {public}", f"; to be registered: {public}") if public else Text("", "")
    say(Text(f"密钥 {key}{registered.zh}", f"Key {key}{registered.en}"))


@control.command("build")
def control_build(
    directory: Registry,
    root_key: Annotated[Path, typer.Option(help="The root's private key (PEM). 根私钥。")],
    root_alg: Annotated[str, typer.Option(help="Its algorithm. 其算法。")] = "EdDSA",
    as_json: Json = False,
) -> None:
    """Check the directory and sign it as the next version, into DIRECTORY/build. 检查并签发下一版本。"""
    from contracts.edge import clock, keys
    from contracts.plain import to_plain
    from gateway.control.build import build

    built = build(directory, keys.load_signing_key(root_key, root_alg), clock.now_ms())
    if as_json:
        emit_json(to_plain(built))
        return
    counts = ", ".join(f"{count} {kind}" for kind, count in built.counts.items())
    say(Text(f"已签发注册库版本 {built.version}({counts})", f"Signed registry version {built.version} ({counts})"))


@control.command("publish")
def control_publish(
    directory: Registry,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Write the built version onto the message log. 将已签发的版本写入消息日志。"""
    from contracts.edge.keys import load_public_key
    from contracts.edge.transport import open_transport
    from gateway.config import load
    from gateway.control.build import publish

    node = load(config)
    manifest = publish(directory, load_public_key(node.root_key, node.root_alg), open_transport(node.log))
    if as_json:
        emit_json({"version": manifest.version, "parts": len(manifest.parts)})
        return
    say(Text(f"注册库版本 {manifest.version} 已发布", f"Registry version {manifest.version} is on the log"))


@app.command()
def ingest(config: Config = DEFAULT_CONFIG) -> None:
    """Verify, validate and store what departments publish. 验签、校验并入库。"""
    from gateway.roles import ingest as run_role

    run_role(config)


@app.command()
def serve(config: Config = DEFAULT_CONFIG) -> None:
    """Answer lookups and bundles, each with its access record. 提供调取服务,逐次存证。"""
    from gateway.serving import serve as run_role

    run_role(config)


@app.command()
def up(config: Config = DEFAULT_CONFIG) -> None:
    """Run ingest and serve together on this machine, and keep them running. 在本机同时运行入库与服务。"""
    from gateway.up import up as run_roles

    run_roles(config)


@app.command()
def status(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Show every stream of this node: its state, as of when, live and refused records. 查看各数据流的状态。"""
    from gateway.status_view import show

    show(config, as_json)


@app.command()
def doctor(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> int:
    """Is everything all right? Looks at the whole installation, changes nothing. 检查整个安装,不作改动。"""
    from contracts.edge.doctor.show import EXIT_UNWELL
    from gateway.doctor.run import run as examine

    return 0 if examine(config, as_json) else EXIT_UNWELL


@app.command()
def demo(
    data_dir: Annotated[
        Path, typer.Option(help="Where everything goes; a former demo is replaced. 演示目录。")
    ] = DEMO_DIR,
    once: Annotated[
        bool, typer.Option("--once", help="End after the checks instead of serving. 检查后即结束。")
    ] = False,
    transport: Annotated[str, typer.Option(help="The message log: embedded or kafka. 消息日志。")] = "embedded",
    bootstrap: Annotated[str, typer.Option(help="Kafka's HOST:PORT, without security unless configured.")] = "",
    kafka_config: Annotated[
        Path | None, typer.Option(help="A file with a table [log], as in oncegate.toml. 含 [log] 的文件。")
    ] = None,
    topic_prefix: Annotated[str, typer.Option(help="Topics made for the demo beforehand. 事先建好的主题前缀。")] = "",
    as_json: Json = False,
) -> None:
    """Three departments, a gateway, a morning at a window, an audit: the whole story. 完整演示。"""
    from gateway.demo.cli import demo as play
    from gateway.demo.message_log import Wanted

    play(data_dir, Wanted(transport, bootstrap, kafka_config, topic_prefix), once, as_json)


@topics.command("plan")
def topics_plan(
    config: Config = DEFAULT_CONFIG,
    registry: Built = None,
    node: Annotated[str, typer.Option(help="The nodes' principal.")] = "User:oncegate",
    control: Annotated[str, typer.Option(help="Control's principal.")] = "User:oncegate-control",
    adapter: Annotated[str, typer.Option(help="The adapters' principals; {adapter} is the id.")] = "User:{adapter}",
    supervision: Annotated[str, typer.Option(help="Supervision's principal.")] = "User:oncegate-supervision",
    replicas: Annotated[int, typer.Option(min=1, help="1 for a trial with one broker. 副本数。")] = 3,
    as_json: Json = False,
) -> None:
    """Print the topic and ACL commands for the administrator of a Kafka cluster. 主题与授权命令。"""
    from gateway.topics_check import Principals
    from gateway.topics_cli import plan

    plan(config, registry, as_json, Principals(node, control, adapter, supervision), replicas)


@topics.command("check")
def topics_check(config: Config = DEFAULT_CONFIG, registry: Built = None, as_json: Json = False) -> None:
    """Compare the live Kafka cluster with what the registry needs. 核对现有主题。"""
    from gateway.topics_cli import check

    check(config, registry, as_json)


@topics.command("apply")
def topics_apply(config: Config = DEFAULT_CONFIG, registry: Built = None, as_json: Json = False) -> None:
    """Create the topics that the registry needs and that are not there. 创建缺少的主题。"""
    from gateway.topics_cli import apply

    apply(config, registry, as_json)


@app.command("backup")
def backup_command(
    target: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="Where the backup goes. 备份文件或目录。")],
    config: Config = DEFAULT_CONFIG,
    recipient: Annotated[
        Path | None, typer.Option(metavar="KEY", help="The recovery key's public half: encrypts it. 恢复公钥。")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="In the clear, private keys included. 明文。")] = False,
    also: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="A file or directory more, the registry's say. 另加。")
    ] = None,
    as_json: Json = False,
) -> None:
    """Back up what the message log cannot give back: keys, configuration, audit logs. 备份密钥、配置与审计日志。"""
    from gateway.backup_cli import backup

    backup(config, target, recipient, plain, also or [], as_json)


@app.command("restore")
def restore_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup. 备份文件。")],
    into: Annotated[Path, typer.Option(metavar="DIR", help="Where everything goes. 恢复到此目录。")],
    recovery_key: Annotated[
        Path | None, typer.Option(metavar="KEY", help="The recovery key's private half. 恢复私钥。")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="What is there is moved aside and kept. 原有文件移到旁边保留。")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring a backup back, once all of it is checked. 核对后恢复备份。"""
    from gateway.backup_cli import restore

    restore(file, into, recovery_key, replace, as_json)


Number = Annotated[int, typer.Argument(metavar="N", min=0, help="The store's number, see `list`. 存储编号。")]


@store.command("list")
def store_list(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Show the stores, which one is current, and what is in them. 查看各存储。"""
    from gateway.store_cli import show

    show(config, as_json)


@store.command("build")
def store_build(
    config: Config = DEFAULT_CONFIG,
    take_over: Annotated[bool, typer.Option("--switch", help="Make it the current one if ready. 建成后切换。")] = False,
    into: Annotated[int | None, typer.Option(metavar="N", min=1, help="Go on with store N. 继续建存储 N。")] = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Under a new store key. 使用新的存储密钥。")] = False,
    patience: Annotated[
        float, typer.Option(metavar="S", min=0, help="How long streams may take to be complete. 等待完整的秒数。")
    ] = 600.0,
    as_json: Json = False,
) -> int:
    """Build a second store from the log beside the current one, and compare the two. 从日志另建一个存储并比较。

    Exit code 1: it is built, but not as far, not as complete, or not the same as the current one.
    """
    from gateway.store_cli import build_second

    return build_second(config, into, take_over, new_key, patience, as_json)


@store.command("switch")
def store_switch(
    number: Number,
    config: Config = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Even if it is behind. 即使落后。")] = False,
    as_json: Json = False,
) -> None:
    """Make store N the current one; running processes go over to it. 切换到存储 N。"""
    from gateway.store_cli import switch

    switch(config, number, force, as_json)


@store.command("remove")
def store_remove(number: Number, config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Remove a store that is not the current one, and the store keys that only it had. 删除存储 N。"""
    from gateway.store_cli import remove

    remove(config, number, as_json)


@contracts.command("new")
def contracts_new(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="For example cn.dog-licence. 标识。")],
    directory: Annotated[Path, typer.Option("--dir", help="The registry directory. 注册库目录。")] = Path(),
    holder: Annotated[str, typer.Option(help="The scheme of its holders. 持证主体标识方案。")] = "cn.ric",
) -> None:
    """Begin an evidence type: three files that pass the checks, to be changed. 新建证照类型。"""
    from gateway.contracts_cli import new

    new(directory, identifier, holder)


@contracts.command("check")
def contracts_check(directory: Registry = Path(), as_json: Json = False) -> None:
    """Check types, examples, items and compatibility; each mistake with its line and remedy. 核对目录。"""
    from gateway.contracts_cli import check

    check(directory, as_json)


@contracts.command("diff")
def contracts_diff(
    former: Annotated[Path, typer.Argument(help="The TOML file of the former form. 原 TOML 文件。")],
    new_form: Annotated[Path, typer.Argument(metavar="NEW", help="The TOML file of the new form. 新 TOML 文件。")],
    as_json: Json = False,
) -> None:
    """Say what a change breaks, for whom, and whether it needs a new version. 比较两个版本。"""
    from gateway.contracts_cli import diff

    diff(former, new_form, as_json)


@contracts.command("list")
def contracts_list(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Of this directory, not those shipped. 目录。")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the evidence types and service items shipped, or of a directory. 列出证照类型与事项。"""
    from gateway.contracts_cli import list_all

    list_all(directory, as_json)


@contracts.command("docs")
def contracts_docs(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write into. 输出目录。")],
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Of this directory, not those shipped. 目录。")
    ] = None,
) -> None:
    """Write web pages about types and items, searchable, in Chinese and English. 生成中英文目录网页。"""
    from gateway.contracts_cli import docs

    docs(out, directory)


def main() -> None:
    """The console script."""
    run(app)


if __name__ == "__main__":
    main()
