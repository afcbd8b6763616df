"""``softhash demo``: a page on which photos are searched with."""

import errno
import os
import socket
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig, ListConfig
from rich.console import Console

from softhash.functional.checks import whole_number
from softhash.report.demo_page import Demo, build, style
from softhash.search.retriever import Retriever

_LARGEST = "100mb"  # of a photo that is uploaded
_PATIENCE = 1  # seconds for pages that are open when the demo is stopped


def run(cfg: DictConfig) -> None:
    """Serve the page until it is stopped.

    Raises:
        FileNotFoundError: There is no such run, index, or folder of photos.
        ValueError: An index was made by another run, there are not as many of them as runs, there is no such port, or
            the extra is not installed.
        OSError: The port is in use, or the server of an index cannot be reached.
    """
    if find_spec("gradio") is None:
        msg = "softhash demo needs the extra demo: pip install 'softhash[demo]'"
        raise ValueError(msg)
    runs, indexes = ([*value] if isinstance(value, ListConfig) else [value] for value in (cfg.run, cfg.index))
    if len(runs) != len(indexes):
        msg = f"run=... names {len(runs)} and index=... {len(indexes)}; give the index of each run, in the same order"
        raise ValueError(msg)
    with closing(listen(cfg.host, cfg.port)) as listener, TemporaryDirectory(prefix="softhash-demo-") as folder:
        pairs = zip(runs, indexes, strict=True)
        demo = Demo([Retriever(path, index, trust=cfg.trust) for path, index in pairs], cfg.images)
        # Uploads go with the demo, and nothing is asked of or told to anybody. Gradio reads this when it is imported.
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        page = build(demo, Path(folder))
        host = f"[{cfg.host}]" if ":" in cfg.host else cfg.host
        address = f"http://{host}:{listener.getsockname()[1]}"
        Console(soft_wrap=True).print(f"Open {address} (Ctrl-C ends the demo)", markup=False)
        serve(page, listener)


def listen(host: str, port: int) -> socket.socket:
    """Take a port, before anything is loaded.

    Args:
        host: Address to listen on.
        port: Its port; 0 for any that is free.

    Raises:
        ValueError: There is no such port.
        OSError: It is in use, or not ours to take.
    """
    if not 0 <= whole_number("port", port) < 2**16:
        msg = f"port must be at least 0 and below {2**16}, got {port}"
        raise ValueError(msg)
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        reason = os.strerror(error.errno) if error.errno is not None and error.errno in errno.errorcode else error
        msg = (
            f"cannot listen on port={port} of host={host}: {reason}.\n"
            f"  {'End the program that uses it, or take' if in_use else 'host must be of this machine; take'}"
            " another port; port=0 takes any that is free."
        )
        raise OSError(msg) from error


def serve(page: Any, listener: socket.socket) -> None:
    """Answer on a socket until a signal ends it; by uvicorn itself, as Gradio's own start asks itself through proxies.

    Args:
        page: ``gradio.Blocks``.
        listener: From :func:`listen`.
    """
    import gradio as gr  # noqa: PLC0415 - an extra
    import uvicorn  # noqa: PLC0415 - comes with it
    from fastapi import FastAPI  # noqa: PLC0415 - likewise

    app = gr.mount_gradio_app(
        FastAPI(),
        page,
        path="/",
        theme=gr.themes.Default(primary_hue="blue", font=("system-ui", "sans-serif"), font_mono="monospace"),
        css=style(),
        footer_links=[],
        max_file_size=_LARGEST,
        run_history=False,
        ssr_mode=False,
    )
    page.has_launched = True  # else Gradio opens any file of this machine that a program names
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_PATIENCE)
    uvicorn.Server(config).run([listener])
