"""Kaggle's real client downloads from a stand-in for Kaggle on this computer."""

import errno
import io
import os
import shutil
import stat
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from llie_helpers import data as datasets
from llie_helpers import paths
from llie_helpers.data import download
from llie_helpers.errors import CourseError
from llie_helpers.files import STALE

CLIENT = download.CLIENT
SLUG = "soumikrakshit/lol-dataset"


def archive(files: dict[str, bytes]) -> bytes:
    """A zip archive of ``files``."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as content:
        for name, data in files.items():
            content.writestr(name, data)
    return stream.getvalue()


class Kaggle(ThreadingHTTPServer):
    """What the client asks of Kaggle: a set's description, then a redirect to its archive."""

    daemon_threads = True

    def __init__(self, body: bytes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.body = body
        self.status = 200
        self.mode = "whole"  # or "cut", "hang", "unsized": once, after half of the body
        self.ranges = []  # the Range header of each request for the archive
        self.hanging = lambda: None  # called when half of the body is sent and no more comes
        self.released = threading.Event()

    def handle_error(self, *_):
        """The client hangs up when it has the archive already; that is no error."""

    def resumed_from(self) -> int:
        """The first byte that the last request for the archive asked for."""
        return int(self.ranges[-1].removeprefix("bytes=").rstrip("-"))


class Handler(BaseHTTPRequestHandler):
    server: Kaggle

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status != 200:
            self.send_error(self.server.status)
        elif self.path.endswith("/GetDatasetMetadata"):
            self.reply(200, b"{}", {"Content-Type": "application/json"})
        elif self.path.endswith("/DownloadDataset"):
            self.reply(302, b"", {"Location": f"{self.server.address}/archive.zip"})

    def do_GET(self):
        body, mode, self.server.mode = self.server.body, self.server.mode, "whole"
        self.server.ranges.append(self.headers["Range"])
        headers = {"ETag": '"1"', "Accept-Ranges": "bytes"}
        headers["Last-Modified"] = "Mon, 01 Jan 2024 00:00:00 GMT"
        if mode == "unsized":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
        elif self.headers["Range"]:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            self.reply(206, body[start:], headers)
        else:
            self.reply(200, body, headers, len(body) if mode == "whole" else len(body) // 2)
        if mode == "hang":
            self.server.hanging()
            self.server.released.wait(20)

    def reply(self, status, body, headers, sent=None):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:sent])
        self.wfile.flush()

    def log_message(self, *_):
        pass


FILES = {
    f"lol_dataset/{part}/{side}/1.png": os.urandom(1 << 20)
    for part in ("our485", "eval15")
    for side in ("low", "high")
}


@pytest.fixture(autouse=True)
def _client(monkeypatch, tmp_path):
    """A client with no account, which talks to this computer only."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("LLIE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    # Nobody listens at port 1.
    send_client_to("http://127.0.0.1:1", monkeypatch)


def send_client_to(address, monkeypatch):
    """Replace Kaggle's address in the client, whose own test setting its commands ignore."""
    redirect = f"""
import kagglesdk.kaggle_env as kaggle_env
kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = {address!r}
"""
    monkeypatch.setattr(download, "CLIENT", redirect + CLIENT)


@pytest.fixture
def kaggle(_client, monkeypatch):
    with Kaggle(archive(FILES)) as server:
        send_client_to(server.address, monkeypatch)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def parent(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def downloaded(monkeypatch):
    """Skip the client: a function that sets what it has downloaded."""

    def set_body(body):
        def write(_, path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

        monkeypatch.setattr(download, "_download", write)

    return set_body


def fetch(parent):
    return download.fetch(SLUG, parent, lambda folder: (folder / "lol_dataset").is_dir())


def left_in(parent):
    """The files and folders in ``parent``; a download to be resumed is kept out of sight."""
    return sorted(path.name for path in parent.glob("*") if path.name != ".downloads")


def test_download_without_an_account(kaggle, parent):
    folder = fetch(parent)
    assert folder == parent / "lol-dataset"
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.png")}
    assert found == FILES
    assert os.listdir(parent) == ["lol-dataset"]


def test_choose_says_that_it_downloaded(kaggle, parent, capsys):
    assert datasets.choose("lol_v1") == "lol_v1"
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert "source 2 of 3" in printed
    assert datasets.choose("lol_v1") == "lol_v1"
    assert "source 1 of 3" in capsys.readouterr().out
    assert len(kaggle.ranges) == 1


def test_beside_a_read_only_course_a_set_goes_to_the_users_own_folder(kaggle, parent, monkeypatch):
    monkeypatch.setattr(paths, "can_write", lambda folder: False)
    folder = datasets.get("lol_v1")
    assert folder.is_relative_to(paths.own_dir())
    assert not parent.exists()
    assert datasets.available()["lol_v1"] == folder, "it is found there again"


def test_choose_falls_back_to_the_embedded_samples(parent, capsys):
    assert datasets.choose("lol_v1") == "embedded"
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert "source 3 of 3" in printed
    assert "Kaggle cannot be reached" in printed


@pytest.mark.slow
def test_a_connection_cut_half_way_is_resumed(kaggle, parent):
    kaggle.mode = "cut"
    fetch(parent)
    # The client writes whole mebibytes, and goes on from the last of them.
    assert kaggle.resumed_from() >= 1 << 20


@pytest.mark.slow
def test_a_stalled_download_is_resumed_by_the_next_call(kaggle, parent, monkeypatch):
    def lose_patience():
        archive = parent / ".downloads" / "lol-dataset.zip"
        while not archive.exists() or archive.stat().st_size < 1 << 20:
            time.sleep(0.01)
        monkeypatch.setattr(download, "STALLED_SECONDS", 0.5)

    kaggle.mode, kaggle.hanging = "hang", lose_patience
    with pytest.raises(CourseError, match="cannot be reached"):
        fetch(parent)
    assert left_in(parent) == []
    monkeypatch.setattr(download, "STALLED_SECONDS", 120)
    kaggle.released.set()
    folder = fetch(parent)
    assert kaggle.resumed_from() >= 1 << 20
    name = "lol_dataset/our485/low/1.png"
    assert (folder / name).read_bytes() == FILES[name]


def test_a_short_answer_of_unknown_length(kaggle, parent):
    kaggle.mode = "unsized"
    # Version 2.0 of the client, which Colab has, notices it by itself.
    with pytest.raises(CourseError, match=r"not a complete zip|client stopped"):
        fetch(parent)
    assert left_in(parent) == []
    fetch(parent)


def test_a_web_page_saved_as_a_zip(kaggle, parent):
    kaggle.body = b"\n<!DOCTYPE html><html><title>Quota exceeded</title></html>"
    with pytest.raises(CourseError, match="a web page"):
        fetch(parent)
    assert left_in(parent) == []


def test_no_network(parent):
    with pytest.raises(CourseError, match="cannot be reached; check the network"):
        fetch(parent)
    assert left_in(parent) == []


@pytest.mark.parametrize(("status", "message"), [(404, "no such public"), (401, "credentials")])
def test_refusals(kaggle, parent, status, message):
    kaggle.status = status
    with pytest.raises(CourseError, match=message):
        fetch(parent)


def test_a_set_that_changed_is_not_kept(downloaded, parent):
    downloaded(archive({"something/else.png": b"1"}))
    with pytest.raises(CourseError, match="does not hold the folders"):
        fetch(parent)
    assert left_in(parent) == []


def test_what_is_downloaded_of_another_set_is_kept(downloaded, parent):
    downloaded(archive(FILES))
    half = parent / ".downloads" / "lol-v2-dataset.zip"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half of it")
    fetch(parent)
    assert os.listdir(half.parent) == [half.name]


def test_what_a_killed_unpacking_left_is_removed(downloaded, parent):
    downloaded(archive(FILES))
    left = parent / ".lol-dataset.01234567"
    left.mkdir(parents=True)
    os.utime(left, (time.time() - STALE - 60,) * 2)
    fetch(parent)
    assert left_in(parent) == ["lol-dataset"]


def test_a_folder_of_ones_own_is_never_replaced(parent):
    own = parent / "lol-dataset" / "mine.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    with pytest.raises(CourseError, match="move it away"):
        fetch(parent)
    assert own.read_text() == "mine"


def test_a_set_that_kaggle_lacks():
    with pytest.raises(CourseError, match=r"get it from https://.*Sony\.zip"):
        datasets.get("sid_sony")


def test_the_client_runs_out_of_disk(parent, monkeypatch):
    failing = f"raise OSError({errno.ENOSPC}, '{os.strerror(errno.ENOSPC)}')"
    monkeypatch.setattr(download, "CLIENT", failing)
    with pytest.raises(CourseError, match="the disk is full"):
        fetch(parent)


def test_the_client_does_not_notice_the_full_disk(parent, monkeypatch):
    monkeypatch.setattr(download, "CLIENT", "import time; time.sleep(30)")
    usage = shutil.disk_usage(".")._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CourseError, match="the disk is full"):
        fetch(parent)


def test_the_client_fails_in_a_new_way(parent, monkeypatch):
    monkeypatch.setattr(download, "CLIENT", "raise SystemExit('Teapot.')")
    with pytest.raises(CourseError, match=r"client stopped: Teapot\.$"):
        fetch(parent)


@pytest.mark.parametrize("when", ["before", "during"])
def test_the_disk_fills_while_unpacking(downloaded, parent, monkeypatch, when):
    downloaded(archive(FILES))
    with monkeypatch.context() as patch:
        if when == "before":
            usage = shutil.disk_usage(".")._replace(free=1 << 20)
            patch.setattr(shutil, "disk_usage", lambda _: usage)
        else:

            def write(*_):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            patch.setattr(shutil, "copyfileobj", write)
        with pytest.raises(CourseError, match="disk is full"):
            fetch(parent)
    assert left_in(parent) == []
    assert (parent / ".downloads" / "lol-dataset.zip").exists(), "it need not be fetched again"


@pytest.mark.parametrize(
    "name", ["../out.txt", "/out.txt", "a/../../out.txt", "..\\out.txt", "C:/out.txt", "link"]
)
def test_nothing_leads_out_of_the_folder(tmp_path, name):
    path = tmp_path / "bad.zip"
    member = zipfile.ZipInfo(name)
    if name == "link":
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as content:
        content.writestr(member, "/etc")
    download.unpack(path, tmp_path / "a" / "b")
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".zip")
    assert file.is_relative_to(tmp_path / "a" / "b")
    assert not file.is_symlink()
    assert file.read_text() == "/etc"


def test_a_damaged_file_in_the_archive(tmp_path):
    path = tmp_path / "bad.zip"
    body = bytearray(archive({"image.png": bytes(1000)}))
    body[500] ^= 1
    path.write_bytes(body)
    with pytest.raises(CourseError, match=r"bad\.zip is not a complete zip"):
        download.unpack(path, tmp_path / "folder")
    assert path.exists(), "one's own archive is not deleted"
