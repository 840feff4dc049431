"""Keeps what is slow to make until what it was made from changes."""
import hashlib
import os


def digest(*parts):
    """Of strings, and of files given as paths in a tuple: ("path",)."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, tuple):
            with open(part[0], "rb") as f:
                data = f.read()
        else:
            data = part.encode()
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()


def make(stamp, key, action):
    """Calls action() unless the file `stamp` says that it has been done for `key`. True if it was called."""
    try:
        with open(stamp) as f:
            if f.read() == key:
                return False
    except OSError:
        pass
    action()
    with open(stamp + ".new", "w") as f:
        f.write(key)
    os.replace(stamp + ".new", stamp)
    return True
