"""Models that were compiled while being loaded, kept on disk.

An entry is two files, KEY.json with the whole key and KEY.mgec with the artifact. It is found by the SHA-256 of the model, the input shapes, and the compiler's version and build; the whole key is
compared. A damaged entry is made anew. Entries appear by renaming, so any number of processes may use one folder at once; each compiles a model once. The
least recently used entries go when the folder grows beyond its limit.

Environment: MEGENGINELITE_CACHE_DIR names the folder (default: megenginelite below $XDG_CACHE_HOME or ~/.cache),
MEGENGINELITE_CACHE_SIZE its limit in bytes (default 1 GiB; 0 turns the cache off).
"""
import contextlib
import fcntl
import hashlib
import json
import os
import tempfile

_DEFAULT_LIMIT = 1 << 30
_KEY, _ARTIFACT = ".json", ".mgec"
_directory = None
_limit = None


def directory():
    """The folder of the cache; it need not exist."""
    if _directory is not None:
        return _directory
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.environ.get("MEGENGINELITE_CACHE_DIR") or os.path.join(home, "megenginelite")


def set_directory(path):
    """Uses another folder from now on; None returns to the default."""
    global _directory
    _directory = None if path is None else os.fspath(path)


def limit():
    """The most bytes that the cache keeps; 0 if it is off. RuntimeError if the environment does not hold a number."""
    if _limit is not None:
        return _limit
    text = os.environ.get("MEGENGINELITE_CACHE_SIZE", "")
    try:
        return int(text) if text else _DEFAULT_LIMIT
    except ValueError:
        raise RuntimeError("MEGENGINELITE_CACHE_SIZE is %r, not a number of bytes" % text) from None


def set_limit(size):
    """Keeps at most `size` bytes from now on; 0 turns the cache off, None returns to the default."""
    global _limit
    _limit = size


def clear():
    """Removes all entries."""
    for _, _, path in _entries():
        _remove_entry(path)


def fetch(model, options, compile, load):
    """load() of the artifact of `model` (bytes) for `options` (what JSON can hold).

    compile() makes the artifact (bytes) where the cache does not have it; load() takes its path or its bytes and raises
    RuntimeError if it is damaged.
    """
    if limit() <= 0:
        return load(compile())
    key = {"sha256": hashlib.sha256(model).hexdigest(), "size": len(model), "options": options}
    text = json.dumps(key, sort_keys=True)
    path = os.path.join(directory(), hashlib.sha256(text.encode()).hexdigest())
    loaded = _load(path, text, load)
    if loaded is not None:
        return loaded
    try:
        os.makedirs(directory(), exist_ok=True)
    except OSError:
        return load(compile())  # nowhere to keep anything
    with _locked(path):
        loaded = _load(path, text, load)  # another process may have been faster
        if loaded is None:
            artifact = compile()
            _write(path + _ARTIFACT, artifact)
            _write(path + _KEY, text.encode())
            _shrink(keep=path)
            loaded = _load(path, text, load)
            if loaded is None:  # the disk is full, say: that costs the entry, not the result
                loaded = load(artifact)
    return loaded


def _load(path, key, load):
    """What load() makes of an entry, or None if there is no whole entry for this key."""
    try:
        with open(path + _KEY, "rb") as file:
            if file.read() != key.encode():
                return None
        loaded = load(path + _ARTIFACT)
        os.utime(path + _ARTIFACT)
        return loaded
    except (OSError, RuntimeError):
        return None


def _write(path, content):
    with contextlib.suppress(OSError):
        handle, temporary = tempfile.mkstemp(dir=directory(), prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(temporary, path)
        except BaseException:
            _remove(temporary)
            raise


@contextlib.contextmanager
def _locked(path):
    try:
        file = open(path + ".lock", "w")
    except OSError:
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            _remove(path + ".lock")


def _entries():
    """(time of last use, size, path without ending) of every entry."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(directory()):
            if entry.name.endswith(_ARTIFACT):
                with contextlib.suppress(OSError):
                    status = entry.stat()
                    found.append((status.st_mtime, status.st_size, entry.path[: -len(_ARTIFACT)]))
    return found


def _shrink(keep):
    entries = sorted(_entries())
    total = sum(size for _, size, _ in entries)
    for _, size, path in entries:
        if total <= limit():
            break
        if path != keep:
            _remove_entry(path)
            total -= size


def _remove_entry(path):
    _remove(path + _KEY)  # first: what has no key is no entry
    _remove(path + _ARTIFACT)


def _remove(path):
    with contextlib.suppress(OSError):
        os.unlink(path)
