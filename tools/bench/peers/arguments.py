"""The command line."""
import argparse
import os

from peers import engines, networks


def _names(known):

    def parse(text):
        names = [name for name in text.split(",") if name]
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'empty'}; known are {', '.join(known)}")
        return list(dict.fromkeys(names))

    return parse


def _counts(text):
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = [0]
    if min(counts) < 1:
        raise argparse.ArgumentTypeError(f"{text}: want numbers from 1 on, for example 1,2")
    return list(dict.fromkeys(counts))


def _positive(text):
    if len(counts := _counts(text)) != 1:
        raise argparse.ArgumentTypeError(f"{text}: want one number")
    return counts[0]


def _path(text):
    # Where the user typed `bazel run`, or bazelw.
    base = os.environ.get("MGEC_WORKING_DIRECTORY") or os.environ.get("BUILD_WORKING_DIRECTORY") or os.getcwd()
    return os.path.abspath(os.path.join(base, os.path.expanduser(text)))


def parse(arguments, cpus):
    """Ends the process with a message on mistakes. `cpus`: how many threads can have one of their own."""
    default_cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "mgec-peers")
    parser = argparse.ArgumentParser(
        prog="peers", formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Times inference engines and this project on the same networks, weights and inputs, in turn, and checks every "
        "engine's output. The first time it installs the engines and torch from PyPI into the cache (some 10 GB) and exports and "
        "converts the networks.")
    parser.add_argument("--engines", type=_names(engines.NAMES), default=list(engines.NAMES), metavar="A,B",
                        help=f"engines to run: {','.join(engines.NAMES)}")
    parser.add_argument("--models", type=_names(networks.NAMES), default=list(networks.NAMES), metavar="A,B",
                        help=f"networks: {','.join(networks.NAMES)}")
    parser.add_argument("--threads", type=_counts, default=[1], metavar="N,M", help="numbers of threads to measure with")
    parser.add_argument("--rounds", type=_positive, default=5, metavar="N", help="turns of each engine")
    parser.add_argument("--runs", type=_positive, default=10, metavar="N", help="forward passes of a turn that count")
    parser.add_argument("--output", type=_path, default=_path("peers"), metavar="FOLDER", help="for results.json, results.md, results.png")
    parser.add_argument("--cache", type=_path, default=_path(default_cache), metavar="FOLDER", help="for what is installed and converted")
    options = parser.parse_args(arguments)
    if max(options.threads) > cpus:
        parser.error(f"--threads {max(options.threads)}: this process may use {cpus} CPUs")
    return options
