"""Runs engines in turn, so that whatever else the machine does hurts all of them alike."""
import collections
import contextlib
import dataclasses
import json
import os
import random
import signal
import subprocess

WARM_UP = 2  # runs of each turn that do not count


class WorkerFailure(Exception):
    """A worker ended, or said nothing that makes sense; the message has the end of what it printed."""


@dataclasses.dataclass
class Command:
    """How to start a worker: see worker.py."""
    arguments: list
    environment: dict
    log: str  # its standard error goes there


class Worker:
    """A process of `python -m peers.worker serve`, stopped whenever it is not asked for something."""

    def __init__(self, command, cpus=None):
        self._command = command
        with open(command.log, "w") as log:
            self._process = subprocess.Popen(command.arguments, env=command.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=log, text=True)
        if cpus:
            # Before it has started any thread: it is still starting up its interpreter.
            os.sched_setaffinity(self._process.pid, cpus)
        try:
            self.start = self._read()
        except BaseException:
            self.close()
            raise
        self._process.send_signal(signal.SIGSTOP)

    def _read(self):
        line = self._process.stdout.readline()
        try:
            return json.loads(line)
        except ValueError:
            try:
                status = self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                status = self._process.wait()
            raise WorkerFailure(f"ended with status {status}: {tail(self._command.log)}") from None

    def ask(self, question):
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.stdin.write(f"{question}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: reading says why
        answer = self._read()
        self._process.send_signal(signal.SIGSTOP)
        return answer

    def close(self):
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def tail(path, lines=3):
    """The last lines of a log, as one line."""
    with open(path, errors="replace") as f:
        return " | ".join(line.strip() for line in collections.deque((line for line in f if line.strip()), lines)) or "(it printed nothing)"


@dataclasses.dataclass
class Measurement:
    """Of one engine. `failure` is a message, and everything else empty, where it did not get through."""
    start: dict = dataclasses.field(default_factory=dict)  # what the worker says after loading
    seconds: list = dataclasses.field(default_factory=list)  # of all runs that count
    error: float = None  # distance from the reference; None: not comparable
    failure: str = ""


def interleave(commands, rounds, runs, cpus=None, say=lambda text: None):
    """Starts a worker for each of `commands` (name: Command), and gives them turns: `rounds` times each, in random order.

    Returns:
      Name: Measurement.
    """
    results = {name: Measurement() for name in commands}
    workers = {}

    def fail(name, failure):
        results[name] = Measurement(failure=str(failure))
        say(f"{name}: {failure}")
        if name in workers:
            workers.pop(name).close()

    try:
        for name, command in commands.items():
            try:
                workers[name] = Worker(command, cpus)
                results[name].start = workers[name].start
            except WorkerFailure as e:
                fail(name, e)
        order = random.Random(1)
        for _ in range(rounds):
            for name in order.sample(sorted(workers), len(workers)):
                try:
                    results[name].seconds += workers[name].ask(runs + WARM_UP)[WARM_UP:]
                except WorkerFailure as e:
                    fail(name, e)
        for name in list(workers):
            try:
                results[name].error = workers[name].ask("check")["error"]
            except WorkerFailure as e:
                fail(name, e)
    finally:
        for worker in workers.values():
            worker.close()
    return results
