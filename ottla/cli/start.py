"""`ottla start`: one broker process, from settings to a clean end.

stdout carries one line, `ottla ready on HOST:PORT`, printed when the broker answers requests, so that a script can
wait for it; what a person may want to know besides goes to stderr. SIGTERM and Ctrl-C end the broker cleanly (state
flushed, clean-shutdown marker written, exit code 0); a second one ends it at once, as `kill -9` would. A broker whose
disk fails under way (full, for example) ends by itself with exit code 1 and says what to do.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .folders import default_data_dir
from .log_format import set_up_log
from .main import DEFAULT_LISTEN
from .trouble import FAILED, MISUSED, Trouble, explain

if TYPE_CHECKING:
    from ..broker.config import BrokerConfig
    from ..broker.server import Broker

log = logging.getLogger("ottla.cli")

#: The exit code after a second signal: what a shell reports for a process killed by SIGKILL.
KILLED = 137


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal says otherwise."""
    gc.disable()  # what a start makes stays; to walk it again and again is a tenth of a start's time
    try:
        set_up_log("text")  # what the settings themselves have to say
        config = load_config(arguments)
        set_up_log(config.string("ottla.log.format") or "text")
        from ..event_loop import new_event_loop

        _raise_open_files_limit()
        os.umask(0o077)  # records, verifiers and tokens: files are 0600, folders 0700
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(_serve(config))
    finally:
        gc.enable()


def load_config(arguments: argparse.Namespace) -> BrokerConfig:
    """Flags over environment over file over defaults, or a Trouble that names the setting."""
    from ..broker.config import BrokerConfig, ConfigError

    sets = dict(arguments.set)
    if arguments.listen is not None:
        host, port = arguments.listen
        sets["listeners"] = f"PLAINTEXT://{f'[{host}]' if ':' in host else host}:{port}"
    if arguments.data_dir is not None:
        sets["log.dirs"] = str(arguments.data_dir)
    if arguments.config is not None and not arguments.config.is_file():
        what = "a folder is no configuration file:" if arguments.config.is_dir() else "there is no configuration file"
        raise Trouble(f"{what} {arguments.config}", "check the path given to --config", MISUSED)
    if arguments.allow_plaintext:
        sets["ottla.allow.plaintext.listeners"] = "true"
    defaults = {"log.dirs": str(default_data_dir()), "listeners": f"PLAINTEXT://{DEFAULT_LISTEN}"}
    try:
        config = BrokerConfig.load(arguments.config, os.environ, sets, defaults=defaults)
    except ConfigError as error:
        raise Trouble(str(error), "docs/configuration.md lists every setting with its default", MISUSED) from error
    _check_exposure(config)
    return config


def _check_exposure(config: BrokerConfig) -> None:
    """Let nobody give a whole network the broker by accident."""
    for listener in config.exposed_listeners:
        if not config.boolean("ottla.allow.plaintext.listeners"):
            raise Trouble(
                f"listener {listener} would let anybody who reaches it read, write and delete everything: it has neither "
                "TLS nor authentication, and its address is not this machine's own",
                "ottla secure init makes certificates and a config in a second; or listen on 127.0.0.1; or, on a private "
                "network, say --allow-plaintext (ottla.allow.plaintext.listeners=true)",
                MISUSED,
            )
        log.warning(
            "listener %s has neither TLS nor authentication: whoever reaches it can read, write and delete everything",
            listener,
        )
    for listener, how in config.trusting_listeners:
        log.warning("listener %s %s", listener, how)


async def _serve(config: BrokerConfig) -> int:
    """Start, say so, wait for the end, stop."""
    from ..broker.server import Broker

    end = _end_on_signals()
    folder = Path(config.log_dirs[0])
    listener = config.listeners[0]
    broker = Broker(config)
    starting = asyncio.ensure_future(broker.start())
    waiting = asyncio.ensure_future(end.wait())
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        await starting
    except Exception as error:
        trouble = explain(error, folder, listener.host, listener.port)
        if trouble is None:
            raise
        raise trouble from error
    _spare_the_collector()
    print(f"Data is in {', '.join(config.log_dirs)}", file=sys.stderr, flush=True)
    print(f"ottla ready on {address(broker)}", flush=True)
    failing = asyncio.ensure_future(broker.failed.wait())
    await asyncio.wait({waiting, failing}, return_when=asyncio.FIRST_COMPLETED)
    failed = failing.done()
    for task in (waiting, failing):
        task.cancel()
    await broker.stop()
    if failed and broker.disk_failure is not None:
        trouble = explain(broker.disk_failure, folder, listener.host, listener.port)
        if trouble is not None:
            raise trouble
    return FAILED if failed else 0


def _spare_the_collector() -> None:
    """Keep garbage collection out of the latency: what a start made stays, and requests leave no cycles behind.

    A full collection walks every object; with 10,000 partitions that is a pause of tens of milliseconds for nothing.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 50)


def _raise_open_files_limit() -> None:
    """Take what the system grants: the soft limit is for programs that use select(), which we do not."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def address(broker: Broker) -> str:
    """HOST:PORT of the first listener as it is bound now (port 0 has become a real one)."""
    listener = broker.listeners[0]
    host = f"[{listener.host}]" if ":" in listener.host else listener.host or "0.0.0.0"
    return f"{host}:{listener.port}"


def _end_on_signals() -> asyncio.Event:
    """Set the returned event at the first SIGTERM or SIGINT; the second ends the process at once."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if end.is_set():
            os._exit(KILLED)
        print("Stopping (once more to stop at once)", file=sys.stderr, flush=True)
        end.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return end
