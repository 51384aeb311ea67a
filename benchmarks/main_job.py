"""Wall time and memory of the main job.

Runs ``keybeam pass`` several times and prints median and spread, with the
machine, and the ratio to a baseline of the same run: the time an FFT of a
million points takes in NumPy, by which other machines can be compared.

Example:
    python benchmarks/main_job.py --runs 5
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil


def baseline_s() -> float:
    """Seconds of 20 FFTs of 2^20 points."""
    data = np.random.default_rng(1).standard_normal(1 << 20)
    begin = time.perf_counter()
    for _ in range(20):
        np.fft.rfft(data)
    return time.perf_counter() - begin


def memory_of_tree(process: psutil.Process) -> int:
    """Bytes that a process and its descendants hold, pages they share counted once."""
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += member.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def run_once(duration_s: float, seed: int) -> tuple[float, int, int]:
    """Wall time in s, peak memory in bytes and secret key bits of one pass."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "keybeam", "pass", "--json", "--seed", str(seed)]
        command += ["--duration", str(duration_s), "--out", str(Path(folder) / "pass")]
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        peak, ended = 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            tree = psutil.Process(process.pid)
            while not ended.wait(0.2):
                try:
                    peak = max(peak, memory_of_tree(tree))
                except psutil.NoSuchProcess:
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        output, _ = process.communicate()
        wall = time.perf_counter() - begin
        ended.set()
        watcher.join()
        if process.returncode:
            raise SystemExit(f"the pass ended with status {process.returncode}")
        return wall, peak, json.loads(output)["secret_key_bits"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--duration", type=float, default=300.0)
    options = parser.parse_args()
    reference = statistics.median(baseline_s() for _ in range(5))
    walls, peaks, keys = [], [], []
    for seed in range(1, options.runs + 1):
        wall, peak, key = run_once(options.duration, seed)
        print(f"seed {seed}: {wall:.1f} s, {peak / 2**20:.0f} MiB, {key} bits of key", flush=True)
        walls.append(wall)
        peaks.append(peak / 2**20)
        keys.append(key)
    print(f"machine: {platform.processor() or platform.machine()}, {psutil.cpu_count()} cores")
    print(
        f"wall time: median {statistics.median(walls):.1f} s "
        f"({min(walls):.1f} to {max(walls):.1f}), "
        f"{statistics.median(walls) / reference:.0f} times the baseline of {reference:.2f} s"
    )
    print(f"peak memory: median {statistics.median(peaks):.0f} MiB (at most {max(peaks):.0f})")
    print(f"key: median {statistics.median(keys):.0f} bits ({min(keys)} to {max(keys)})")


if __name__ == "__main__":
    main()
