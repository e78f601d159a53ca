import json
import multiprocessing
import resource
from pathlib import Path

import pytest

from llie_helpers.errors import CourseError
from llie_helpers.lessons.ledger import COLUMNS, Ledger


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "runs" / "ledger.jsonl")


def row(**changes):
    return {"lesson": "03_mse_cnn", "model": "gamma", "psnr": 12.333, "ssim": 0.5631} | changes


def column(table, title):
    return [texts[table.header.index(title)] for texts in table.rows]


def test_an_absent_ledger_is_empty(ledger):
    assert ledger.rows() == []
    assert "PSNR (dB)" in str(ledger.table())


def test_rows_come_back_in_order_with_every_column(ledger):
    ledger.append(row())
    ledger.append(row(model="clahe"))
    assert [found["model"] for found in ledger.rows()] == ["gamma", "clahe"]
    assert list(ledger.rows()[0]) == list(COLUMNS)
    assert ledger.rows()[0]["lpips"] is None


def test_a_torn_line_costs_only_itself(ledger):
    ledger.append(row())
    with ledger.path.open("a") as file:
        file.write('{"lesson": "03_m')
    ledger.append(row(model="clahe"))
    assert [found["model"] for found in ledger.rows()] == ["gamma", "clahe"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_a_full_disk_is_told_in_one_sentence():
    # Every write to this device fails as on a full disk.
    with pytest.raises(CourseError, match="disk is full"):
        Ledger(Path("/dev/full")).append(row())


def test_a_disk_that_fills_up_within_a_row_is_told_in_one_sentence(ledger):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(CourseError, match="disk is full"):
            ledger.append(row())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    ledger.append(row(model="clahe"))
    assert [found["model"] for found in ledger.rows()] == ["clahe"]


def _append_many(path, worker):
    for step in range(100):
        Ledger(path).append(row(model=f"model {worker}", seed=step))


def test_notebooks_that_run_at_once_never_mix_their_lines(ledger):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append_many, args=(ledger.path, n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    # An empty line is harmless: it parts a row from one that looked torn while being written.
    rows = [json.loads(line) for line in ledger.path.read_text().splitlines() if line]
    assert rows == ledger.rows()
    assert len({(found["model"], found["seed"]) for found in rows}) == len(rows) == 400


def test_the_table_shows_the_latest_run_of_each_experiment(ledger):
    ledger.append(row(psnr=11.0))
    ledger.append(row(psnr=12.333))
    ledger.append(row(model="<b>", psnr=9.0))
    table = ledger.table()
    assert column(table, "model") == ["gamma", "<b>"]
    assert column(table, "PSNR (dB)") == ["12.33", "9.00"]
    assert column(table, "LPIPS") == ["", ""]
    assert "GT-mean PSNR (dB)" in table.header
    assert "code" not in table.header


def test_a_table_may_show_one_lesson_only(ledger):
    ledger.append(row())
    ledger.append(row(lesson="04_unet", psnr=20.0))
    assert column(ledger.table("04_unet"), "PSNR (dB)") == ["20.00"]
