"""python -m megenginelite compile MODEL.mge [-o MODEL.mgec] [--target=x86-64-v3] [--input-shape NAME=1x3x224x224]...

All that tools/compile does, by the same code.
"""
import argparse
import signal
import sys
import threading

from .model import compiler

# Those of tools/compile, with its texts.
_FLAGS = [
    ("-o", "output", "", str, "Where the artifact goes; MODEL.mgec beside the model if not given."),
    (
        "--target",
        "target",
        "",
        str,
        "Comma-separated targets, for example x86-64-v3; x86-64-v4,x86-64-v3 if not given, and x86-64-v4-vnni for models with "
        "integer contractions. The runtime picks the best that its CPU has. aarch64 and aarch64-dotprod are for 64-bit Arm. "
        "cuda is code for NVIDIA GPUs (sm_75, sm_80, sm_90, and PTX for later ones), cuda:sm_80,sm_86 that for these "
        "architectures; it needs NVIDIA's NVRTC.",
    ),
    ("--threads", "threads", 0, int, "Threads that generate code; all CPUs if 0."),
    ("--emit", "emit", "", str, "Also print, comma-separated: graph (after all passes), kernels, llvm, asm, cuda, ptx."),
    (
        "--tune",
        "tune",
        0,
        float,
        "Measure on this machine for about so many seconds (60 for --tune alone) which schedules are fastest, "
        "and use them. Ctrl-C ends it early and keeps the results.",
    ),
    (
        "--tuning-db",
        "tuning_db",
        "",
        str,
        "A file of measurements: used, and with --tune added to. Holds for all models; may be copied.",
    ),
    (
        "--tune-threads",
        "tune_threads",
        1,
        int,
        "The number of threads that the network will run on, for --tune and --tuning-db.",
    ),
]
_SWITCHES = [
    (
        "--cuda-tf32",
        "Let the tensor cores of NVIDIA GPUs, from sm_80 on, multiply float32 numbers: factors of convolutions and matrix products "
        "keep 11 of their 24 significant bits (TF32), so that each result is off by up to 0.1 % of the sum of its products' "
        "magnitudes, besides the rounding of float32. GPUs of sm_75 have no such tensor cores and compute in float32.",
    ),
    ("--time", "Also print where the time went: by stage, and the kernels whose code took longest."),
    ("--json", "Print the report as JSON, also where the model is not supported or damaged."),
]


def _parser():
    parser = argparse.ArgumentParser(prog="python -m megenginelite", description="Compiles MegEngine models.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("compile", help="compile a .mge model into a .mgec artifact", allow_abbrev=False)
    command.add_argument("model", metavar="MODEL.mge")
    command.add_argument(
        "--input-shape",
        dest="input_shapes",
        action="append",
        default=[],
        metavar="NAME=1x3x224x224",
        help="NAME=1x3x224x224: the shape of an input, instead of the model's. Repeated for the same input: the artifact runs "
        "all of these shapes, and the runtime picks the one that it is given. NAME=Nx3x224x224: a batch of any size.",
    )
    command.add_argument(
        "--nowinograd",
        dest="winograd",
        action="store_false",
        help="Compute convolutions by Winograd's algorithm where that is faster; --nowinograd for the last digits of accuracy.",
    )
    for name, text in _SWITCHES:
        command.add_argument(name, action="store_true", help=text.replace("%", "%%"))
    for name, to, default, kind, text in _FLAGS:
        command.add_argument(name, dest=to, default=default, type=kind, help=text.replace("%", "%%"))
    return parser


def _spelled(argument):
    """A long flag with hyphens, and with the seconds that --tune alone stands for."""
    name, equals, value = argument.partition("=")
    if not name.startswith("--"):
        return argument
    return "--tune=60" if argument == "--tune" else "--" + name[2:].replace("_", "-") + equals + value


def _print(stream, text):
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def main(arguments=None):
    """Compiles a model; returns the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    flagged = arguments.index("--") if "--" in arguments else len(arguments)
    arguments[:flagged] = [_spelled(a) for a in arguments[:flagged]]
    flags = vars(_parser().parse_args(arguments))
    del flags["command"]
    module = compiler()
    if module is None:
        print("error: the compiler is not installed here: pip install megenginelite-compiler", file=sys.stderr)
        return 1
    # Ctrl-C ends the process, as it ends other compilers: Python would look at it only when all is done.
    main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL) if main_thread else None
    try:
        status, out, err = module.run_command(**flags)
    finally:
        if main_thread:
            signal.signal(signal.SIGINT, handler)
    _print(sys.stdout, out)
    _print(sys.stderr, err)
    return status


if __name__ == "__main__":
    sys.exit(main())
