"""Packs files into a wheel.

Usage: make_wheel.py METADATA OUTPUT.whl [--libraries-of LIBRARY=FOLDER] DESTINATION=SOURCE...

The wheel's name, version and tags are those in the name of OUTPUT. The same files give the same bytes. --libraries-of adds
the shared libraries that LIBRARY needs and that systems do not have by default, to FOLDER inside of the wheel.
Fails if a library needs a later glibc than the tag of the wheel promises.
"""
import base64
import hashlib
import os
import re
import subprocess
import sys
import zipfile

# What every Linux system with the tag's glibc has.
_SYSTEM = re.compile(r"^(linux-vdso|ld-linux|lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so)")


def needed_libraries(library):
    """Paths of the libraries, of all levels, that `library` needs and systems may lack."""
    lines = subprocess.run(["ldd", library], check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout
    paths = {}
    for line in lines.splitlines():
        name, _, rest = line.strip().partition(" => ")
        if rest and not _SYSTEM.match(name):
            path = rest.split(" (")[0]
            if not os.path.exists(path):
                sys.exit("make_wheel: %s needs %s, which is missing" % (library, name))
            paths[name] = path
    return paths


def check_glibc(content, name, limit):
    """Exits if a library refers to a symbol of a glibc later than `limit`, (major, minor)."""
    for major, minor in set(re.findall(rb"GLIBC_(\d+)\.(\d+)", content)):
        if (int(major), int(minor)) > limit:
            sys.exit("make_wheel: %s needs glibc %d.%d, but the wheel promises %d.%d" % (name, int(major), int(minor), *limit))


def main(arguments):
    metadata, output, items = arguments[0], arguments[1], arguments[2:]
    distribution, version, python, abi, platform = os.path.basename(output)[: -len(".whl")].split("-")
    glibc = tuple(int(number) for number in re.match(r"manylinux_(\d+)_(\d+)_", platform).groups())
    files = {}
    while items:
        item = items.pop(0)
        if item == "--libraries-of":
            library, _, folder = items.pop(0).partition("=")
            for name, path in needed_libraries(library).items():
                files[folder + "/" + name] = path
            continue
        destination, _, source = item.partition("=")
        files[destination] = source
    info = "%s-%s.dist-info/" % (distribution, version)
    contents = {}
    for destination, source in files.items():
        with open(source, "rb") as file:
            contents[destination] = file.read()
        if ".so" in destination:
            check_glibc(contents[destination], destination, glibc)
    with open(metadata, "rb") as file:
        contents[info + "METADATA"] = file.read().replace(b"@VERSION@", version.encode())
    contents[info + "WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: make_wheel\nRoot-Is-Purelib: false\nTag: %s-%s-%s\n" % (python, abi, platform)
    ).encode()
    record = []
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name in sorted(contents):
            digest = base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest()).rstrip(b"=").decode()
            record.append("%s,sha256=%s,%d\n" % (name, digest, len(contents[name])))
            _add(wheel, name, contents[name])
        _add(wheel, info + "RECORD", ("".join(record) + info + "RECORD,,\n").encode())


def _add(wheel, name, content):
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.external_attr = (0o100755 if ".so" in name else 0o100644) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    wheel.writestr(entry, content)


if __name__ == "__main__":
    main(sys.argv[1:])
