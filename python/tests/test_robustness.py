"""Threads, signals, child processes, memory."""
import gc
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import megenginelite as lite


def test_other_threads_run_during_forward(load):
    network = load("slow")
    network.forward()  # touches the memory
    start = time.monotonic()
    network.forward()
    alone = time.monotonic() - start
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.monotonic()
    network.forward()
    end = time.monotonic()
    done.set()
    thread.join()
    # If forward() kept the interpreter to itself, there would be no tick inside.
    assert len([t for t in ticks if start < t < end]) >= 3, (alone, end - start)


def test_ctrl_c_reaches_the_program(artifact):
    script = """
import sys, megenginelite as lite
network = lite.LiteNetwork()
network.load(sys.argv[1])
print("ready", flush=True)
try:
    while True:
        network.forward()
        network.wait()
except KeyboardInterrupt:
    network.forward()
    print("interrupted", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", script, artifact("slow")], stdout=subprocess.PIPE, universal_newlines=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "interrupted\n"
    assert process.returncode == 0


@pytest.mark.parametrize("threads", [1, 3])
def test_children_go_on_using_networks(threads, load, a, run):
    network = load(before=lambda n: setattr(n, "threads_number", threads))
    run(network, a=a, b=a)

    def child(queue):
        queue.put(run(network, a=a, b=a * 3)["sum"])

    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    np.testing.assert_array_equal(queue.get(timeout=60), a * 4)
    process.join(60)
    assert process.exitcode == 0
    np.testing.assert_array_equal(run(network, a=a, b=a)["sum"], a * 2)


def test_a_network_may_go_in_its_own_callback(load):
    networks = [load()]
    networks[0].set_start_callback(lambda inputs: networks.clear())
    networks[0].forward()
    assert not networks


def test_a_network_goes_with_its_last_reference(load, a, run):
    network = load()
    run(network, a=a, b=a)
    tensor = network.get_io_tensor("sum")
    reference = weakref.ref(network)
    del network
    gc.collect()
    assert reference() is None
    np.testing.assert_array_equal(tensor.to_numpy(), a * 2)  # its memory is still there


def test_loading_and_unloading_does_not_grow(load, a, run):
    def cycle(count):
        for _ in range(count):
            run(load(), a=a, b=a)
        gc.collect()

    cycle(50)
    with open("/proc/self/statm") as file:
        before = int(file.read().split()[1])
    cycle(500)
    with open("/proc/self/statm") as file:
        after = int(file.read().split()[1])
    assert (after - before) * resource.getpagesize() < 1 << 20
    assert len(os.listdir("/proc/self/fd")) < 200
