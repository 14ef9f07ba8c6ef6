# SPDX-License-Identifier: MIT
"""One job of a matrix on some worker: artifacts by content, scenarios, and what came out.

A job is bytes and its result is bytes, so that any executor can carry them. The worker
looks for each artifact in its own store and fetches what is not there from the rig that
gave the job, over HTTP. The scenarios run in a process of their own: a worker that dies
takes it along, and one that is a thread among others is not disturbed by it.
"""

from __future__ import annotations

import ctypes
import hashlib
import hmac
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from rig import bundle, catalogue, tested
from rig.errors import FailureClass, RigError, infra
from rig.hold import hold
from rig.leftovers import JOB, job_folder, temporary
from rig.runner import run
from rig.store import MANIFEST, Artifact, Store
from rig.ui import Reporter

_PR_SET_PDEATHSIG = 1
_DIGEST = "X-Rig-SHA256"
_CHUNK = 1 << 20
_TIMEOUT_S = 60.0
"""Of one silent wait for the rig that gave the job."""


class Job(msgspec.Struct):
    """What a worker is to run."""

    name: str
    inputs: tested.Inputs
    scenarios: list[str]
    origin: str
    """Where artifacts are fetched from, with the secret that opens it."""


class Result(msgspec.Struct):
    """What became of a job."""

    rows: list[bundle.Row] = []
    logs: bytes = b""
    """The run's folder, as a tar file."""
    failure: str = ""
    """Class of what kept the worker from it; empty: nothing did."""
    sentence: str = ""
    hint: str = ""
    worker: str = ""
    seconds: float = 0.0


class Origin:
    """Serves artifacts of a store to workers, each as a tar file; a context manager."""

    def __init__(self, store: Store, address: str = "127.0.0.1") -> None:
        self._store = store
        self._secret = secrets.token_urlsafe(24)
        self._packed: dict[tuple[str, str], _Packed] = {}
        self._lock = threading.Lock()
        origin = self

        class Handler(BaseHTTPRequestHandler):
            """One request: /SECRET/KIND/KEY."""

            def do_GET(self) -> None:
                """Send the file, or say that there is none."""
                origin.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """No lines on the terminal."""

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        host, port = self._server.server_address[:2]
        self.url = f"http://{host!s}:{port}/{self._secret}"

    def __enter__(self) -> Origin:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for packed in self._packed.values():
            packed.file.close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One GET."""
        parts = request.path.split("/")
        known = len(parts) == 4 and hmac.compare_digest(parts[1], self._secret)
        artifact = self._store.find(parts[2], parts[3]) if known else None
        if artifact is None or artifact.path.parent.parent != self._store.root / "store":
            request.send_error(404)
            return
        packed = self._pack(artifact)
        request.send_response(200)
        request.send_header("Content-Length", str(packed.size))
        request.send_header(_DIGEST, packed.digest)
        request.end_headers()
        for at in range(0, packed.size, _CHUNK):  # others may read the same file meanwhile
            request.wfile.write(os.pread(packed.file.fileno(), _CHUNK, at))

    def _pack(self, artifact: Artifact) -> _Packed:
        """Its tar file, which has no name: nothing stays behind a rig that is killed."""
        name = artifact.name, artifact.key
        with self._lock:
            if name not in self._packed:
                file = tempfile.TemporaryFile(dir=self._store.root / "tmp")  # noqa: SIM115
                _tar("-cSf", "-", "-C", artifact.path, ".", out=file)
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                self._packed[name] = _Packed(file, os.fstat(file.fileno()).st_size, digest)
            return self._packed[name]


@dataclass(frozen=True)
class _Packed:
    """An artifact as a tar file without a name."""

    file: IO[bytes]
    size: int
    digest: str


def fetch(store: Store, name: str, key: str, origin: str) -> None:
    """Have an artifact in the store. Raises `RigError` (INFRA) when it does not come whole."""
    if store.find(name, key) is not None:
        return  # without the lock, which a build may hold for minutes
    with store.lock(name):
        if store.find(name, key) is not None:
            return
        with temporary("fetch") as scratch:
            file = scratch / "artifact.tar"
            digest = _download(f"{origin}/{name}/{key}", file)
            if digest != _sha256(file):
                raise infra(f"{name} {key} did not come whole", "the same command again")
            unpacked = scratch / "artifact"
            unpacked.mkdir()
            _tar("-xSf", file, "-C", unpacked)
            inputs = msgspec.json.decode((unpacked / MANIFEST).read_bytes())["inputs"]
            (unpacked / MANIFEST).unlink()
            with store.publishing(name, key, inputs) as out:
                for path in unpacked.iterdir():
                    shutil.move(path, out / path.name)


def _download(url: str, file: Path) -> str:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, file.open("wb") as out:
            shutil.copyfileobj(answer, out)
            return str(answer.headers[_DIGEST])
    except OSError as exc:  # what urllib raises is one
        if isinstance(exc, urllib.error.HTTPError):
            exc.close()
        raise infra(
            f"the rig that gave the job does not send {url.rsplit('/', 2)[-2]}: {exc}",
            "`rig matrix --listen ADDRESS` names an address that the workers reach",
        ) from exc


def unpack(file: Path, folder: Path) -> None:
    """A tar file of ours into a folder."""
    _tar("-xf", file, "-C", folder)


def _tar(*argv: str | Path, out: IO[bytes] | None = None) -> None:
    """Debian 12's tarfile has no filter against odd members; tar(1) keeps holes as well."""
    subprocess.run(["tar", *map(str, argv)], stdout=out, check=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def work(data: bytes) -> bytes:
    """A job to its result, in a process of its own. This is what executors call.

    A process that was killed is a result of class LOST: the job may be given again.
    """
    with job_folder(data) as folder:
        with subprocess.Popen(
            [sys.executable, "-m", "rig.remote", str(folder)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as child:  # fmt: skip
            _running.add(child)
            _out, err = child.communicate()
            _running.discard(child)
        file = folder / "result"
        if file.exists():
            return file.read_bytes()
        last = err.decode(errors="replace").strip().splitlines()[-1:] or ["it was killed"]
        told = f"the worker's process ended: {last[0]}"
        return msgspec.msgpack.encode(Result(failure=FailureClass.LOST.name, sentence=told))


_running: set[subprocess.Popen[bytes]] = set()


def stop() -> None:
    """End the jobs that run in threads of this process; each takes its guest down."""
    for child in tuple(_running):
        child.terminate()


def main(folder: Path) -> None:
    """The process of one job: reads `job`, writes `result`."""
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise infra("this kernel cannot end a job with its worker")
    worker = os.getppid()
    hold(folder / JOB)
    job = msgspec.msgpack.decode((folder / JOB).read_bytes(), type=Job)
    try:
        result = _judged(job, folder)
    except RigError as error:
        result = Result(failure=error.failure.name, sentence=error.message, hint=error.hint)
    finally:
        if os.getppid() != worker:  # nobody else is there to remove it
            shutil.rmtree(folder, ignore_errors=True)
    result.worker = f"{os.uname().nodename}:{worker}"
    scratch = folder / "result.new"
    scratch.write_bytes(msgspec.msgpack.encode(result))
    scratch.rename(folder / "result")


def _judged(job: Job, folder: Path) -> Result:
    ours = tested.rig_version()
    if job.inputs.rig != ours:
        raise infra(f"the worker has the rig {ours}, the job is for {job.inputs.rig}",
                    "bring the worker's checkout up to date")  # fmt: skip
    store = Store()
    for part, (name, _file) in tested.PARTS.items():
        fetch(store, name, job.inputs.artifacts[part], job.origin)
    bed = tested.reopen(job.inputs, Reporter())
    chosen = catalogue.select(job.scenarios, catalogue.entries())
    run_dir = folder / "run"
    run_dir.mkdir()
    found = run(bed, chosen, run_dir, jobs=1)
    _tar("-czf", folder / "logs.tar", "-C", run_dir, ".")
    record = bundle.load(run_dir / bundle.RUN, bundle.Run)
    return Result(record.rows, (folder / "logs.tar").read_bytes(), seconds=found.seconds)


if __name__ == "__main__":
    from rig import interrupt

    interrupt.listen()
    main(Path(sys.argv[1]))
