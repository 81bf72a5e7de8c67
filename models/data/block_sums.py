"""A checksum of large files that takes little longer than reading them."""

import hashlib
from pathlib import Path

import numpy as np

# A tile is 64 × 64 words of 8 bytes; its rows and its columns are summed modulo 2^64.
_SIDE = 64
_TILE_BYTES = 8 * _SIDE * _SIDE
_TILES_AT_ONCE = 32


def checksum(path: Path) -> str:
    """Return the SHA-256 of the sums of a file's rows and columns of words.

    It finds what damages files: flipped bits, blocks of zeros, values that changed places.
    Unlike the SHA-256 of all contents, which takes five times as long, it resists no forger.
    """
    digest = hashlib.sha256()
    size = path.stat().st_size
    digest.update(f"{size}\n".encode())
    n_tiles = size // _TILE_BYTES
    # Read, not mapped: pages of a map count as memory of the process for as long as it is open.
    words = np.empty(min(n_tiles, _TILES_AT_ONCE) * _SIDE * _SIDE, "<u8")
    with path.open("rb") as file:
        while n_tiles > 0:
            n_now = min(n_tiles, _TILES_AT_ONCE)
            some = words[: n_now * _SIDE * _SIDE]
            if file.readinto(some.data) < some.nbytes:
                raise OSError(f"{path} became shorter while it was read")
            tiles = some.reshape(-1, _SIDE, _SIDE)
            digest.update(tiles.sum(axis=2).data)
            digest.update(tiles.sum(axis=1).data)
            n_tiles -= n_now
        digest.update(file.read())
    return digest.hexdigest()
