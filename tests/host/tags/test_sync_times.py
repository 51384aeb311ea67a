"""Sync words of a capture, timed by edges of the downlink whose times are known."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from keybeam.protocol.numbers import FRAME_BITS
from keybeam.protocol.records import FINE_PS, FRAME_VALID, Channel, RecordType, pack_records
from keybeam.tags import AnalysisError, write_capture
from keybeam.tags.command import tags
from keybeam.tags.sync_times import capture_sync_times

BIT_PS, SAMPLE_PS, START_PS, RATE = 6400, 1600, 3e9, 20e-6
TAGGER_PS = 100.0
EDGES = 64


def write(path, generator, frames, *, channel=Channel.LINE):
    """Words by the sample after their beginning, and `EDGES` a frame by the tagger."""
    bit = BIT_PS * (1 + RATE)
    starts = START_PS + np.arange(frames) * FRAME_BITS * bit
    samples = np.ceil((starts + generator.normal(0, 100, frames)) / SAMPLE_PS) * SAMPLE_PS
    places = np.sort(generator.integers(0, frames * FRAME_BITS, frames * EDGES))
    edges = START_PS + places * bit + generator.normal(0, TAGGER_PS, places.size)
    syncs = pack_records(RecordType.SYNC, 0, np.rint(samples / FINE_PS).astype(np.int64))
    heads = pack_records(RecordType.FRAME, FRAME_VALID, 7 + np.arange(frames))
    tagged = pack_records(RecordType.TAG, channel, np.rint(edges / FINE_PS).astype(np.int64))
    times = np.concatenate([samples, samples, edges])
    order = np.lexsort([np.repeat([0, 1, 2], [frames, frames, edges.size]), times])
    write_capture(path, np.array_split(np.concatenate([syncs, heads, tagged])[order], 40))
    return starts, samples


def test_fitted_times_are_those_of_the_words_also_where_blocks_meet(tmp_path, generator):
    path = tmp_path / "line.h5"
    starts, samples = write(path, generator, 2500)
    found = capture_sync_times(path, Channel.LINE)
    assert found.counters.tolist() == list(range(7, 2507))
    error = (samples + found.corrections_ps - starts)[1:-1]
    expected = TAGGER_PS / np.sqrt(EDGES)
    assert error.std() == pytest.approx(expected, rel=0.1)
    assert np.abs(error).max() < 6 * expected
    assert np.median(found.errors_ps) == pytest.approx(expected, rel=0.1)
    assert found.fitted_scatter_ps == pytest.approx(expected, rel=0.15)
    assert found.sampled_scatter_ps > 300
    assert found.clock_error_ps < 2


def test_the_command_shows_them(tmp_path, generator):
    path, page = tmp_path / "line.h5", tmp_path / "sync.html"
    write(path, generator, 30, channel=Channel.AUX_1)
    arguments = ["sync", str(path), "--edges", "aux_1"]
    done = CliRunner().invoke(tags, [*arguments, "--html", str(page)])
    assert done.exit_code == 0, done.output
    assert "words: 30, of them fitted 30" in done.stdout
    assert "<svg" in page.read_text()
    content = json.loads(CliRunner().invoke(tags, [*arguments, "--json"]).stdout)
    assert [word["counter"] for word in content["words"]] == list(range(7, 37))
    assert all(abs(word["correction_ps"]) < 2000 for word in content["words"])


def test_a_capture_without_edges_is_refused_with_a_hint(tmp_path, generator):
    path = tmp_path / "line.h5"
    write(path, generator, 30)
    with pytest.raises(AnalysisError, match=r"rx channels LINE --enable"):
        capture_sync_times(path, Channel.AUX_2)
