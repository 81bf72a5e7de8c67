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
    n_tiled = size - size % _TILE_BYTES
    if n_tiled:
        words = np.memmap(path, "<u8", mode="r", shape=(n_tiled // 8,))
        step = _TILES_AT_ONCE * _SIDE * _SIDE
        for start in range(0, words.size, step):
            tiles = words[start : start + step].reshape(-1, _SIDE, _SIDE)
            digest.update(tiles.sum(axis=2).data)
            digest.update(tiles.sum(axis=1).data)
    with path.open("rb") as file:
        file.seek(n_tiled)
        digest.update(file.read())
    return digest.hexdigest()
