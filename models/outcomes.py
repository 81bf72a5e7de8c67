"""What a network predicted for each sample, as a few hundred bytes that are kept with its run.

The payload holds the errors, against the labels, and may hold the loss of every sample. A header
of fixed length comes first, little-endian:

====== ====== =================================================================
offset type   content
====== ====== =================================================================
0      4s     magic ``CFO1``; the digit is the version of the format
4      u8     how errors are located: 0 by gaps, 1 by a bit for each sample
5      u8     loss step in hundredths; 0 if there are no losses
6      u16    number of classes K, modulo 65,536
8      u32    number of samples N
12     u32    number of errors E
16     u32    CRC-32 of the labels, as little-endian uint16
20     u32    CRC-32 of the predicted classes, as little-endian uint16
24     u32    CRC-32 of all other bytes of the payload
28     f64    mean loss
36     f64    loss scale
====== ====== =================================================================

Then follow two blocks, or three with losses. A block is a byte for its codec (0 stored, 1 raw
deflate, 2 raw LZMA), its packed and its unpacked length (two u32), and the packed bytes.

1. *Positions.* Gaps: the number of correct samples before each error, as LEB128. Bits:
   ``numpy.packbits(wrong)``.
2. *Classes.* ``(predicted - label) mod K`` of each error, ordered by label, then by position: four
   bits each, high first, where K <= 16; one byte where K <= 256; else a little-endian uint16.
3. *Losses.* ``round(log(1 + loss / scale) / step)``, at most 255, one byte for each sample, ordered
   by label, then by position. The scale is a quarter of the mean loss. Losses that are read are
   scaled so that their mean is the stored one. The error of a loss is about half a step of
   ``loss + scale`` at the most.

Every length is checked against what N, K and E allow before anything is unpacked. Needs NumPy only.
"""

import lzma
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Labels
from coarsefine.models.errors import ModelError

Losses = npt.NDArray[np.float16]

_MAGIC: Final = b"CFO1"
_HEADER: Final = struct.Struct("<4sBBHIIIIIdd")
# Where the checksum stands.
_SUM: Final = 24
_BLOCK: Final = struct.Struct("<BII")
_GAPS, _BITS = 0, 1
_STORED, _DEFLATE, _LZMA = 0, 1, 2
# Small numbers with no order among them: no context beyond the bytes before.
_FILTERS: Final = [
    {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 0, "lp": 0, "pb": 0, "nice_len": 273}
]
_MOST_CLASSES: Final = 1 << 16
_MOST_SAMPLES: Final = 1 << 28
# Loss steps in hundredths, finest first; the next one is taken where a payload passes the budget.
_STEPS: Final = (10, 20, 30, 40)
_BUDGET_BYTES, _BUDGET_PER_SAMPLE = 400, 0.6
_LARGEST_LOSS: Final = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a network made of each sample.

    Attributes:
        predicted: (N,), the class with the highest score.
        losses: (N,), half precision and rounded further; ``None`` if they were not kept.
        mean_loss: As it was before losses were rounded; ``None`` likewise.
    """

    predicted: Labels
    losses: Losses | None = None
    mean_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """Which samples a network classified correctly; read without their labels.

    Attributes:
        right: (N,).
        labels_crc: Equal for outcomes of the same labels in the same order.
    """

    right: npt.NDArray[np.bool_]
    labels_crc: int


def read_accuracy(payload: bytes) -> float:
    """Return the share of samples that were classified correctly, in [0, 1]; read without labels.

    Raises:
        ModelError: If the payload is damaged or of another version.
    """
    _, _, _, _, n_samples, n_errors, *_ = _read_header(payload)
    return 1 - n_errors / n_samples if n_samples else 0.0


def read_rights(payload: bytes, n_most: int = _MOST_SAMPLES) -> Rights:
    """Return which samples were classified correctly.

    Args:
        payload: Bytes of any origin.
        n_most: More samples than so many are refused.

    Raises:
        ModelError: If the payload is damaged, of another version, or of more samples.
    """
    _, how, _, _, n_samples, n_errors, of_labels, *_ = _read_header(payload)
    if n_samples > n_most:
        raise ModelError(f"outcomes must be of at most {n_most} samples, got {n_samples}")
    positions, _ = _unblock_positions(payload, how, n_samples, n_errors)
    return Rights(~_positions(positions, how, n_samples, n_errors), of_labels)


class OutcomeCodec:
    """Packs and unpacks what networks predicted for the same samples."""

    def __init__(self, labels: Labels, n_classes: int) -> None:
        """Remember the labels.

        Args:
            labels: (N,), in 0 … K-1.
            n_classes: K.

        Raises:
            ModelError: If the labels are anything else, or there are too many.
        """
        labels = np.asarray(labels)
        if not 2 <= n_classes <= _MOST_CLASSES or len(labels) >= _MOST_SAMPLES:
            raise ModelError(
                f"outcomes must have 2 to {_MOST_CLASSES} classes and fewer than {_MOST_SAMPLES} "
                f"samples, got {n_classes} and {len(labels)}"
            )
        self.labels = _checked(labels, labels.shape, n_classes, "labels")
        self.n_classes = n_classes
        self._order = np.argsort(self.labels, kind="stable")
        self._crc = _crc(self.labels)

    def pack(self, predicted: Labels, losses: npt.NDArray[np.floating] | None = None) -> bytes:
        """Return the outcomes of one network as bytes.

        Args:
            predicted: (N,), in 0 … K-1.
            losses: (N,), >= 0 and finite; rounded as the module says.

        Raises:
            ModelError: If the arrays hold anything else.
        """
        labels, k = self.labels, self.n_classes
        predicted = _checked(predicted, labels.shape, k, "predicted classes")
        wrong = predicted != labels
        blocks = [_block(_gaps(wrong)), _block(np.packbits(wrong).tobytes())]
        how = min((_GAPS, _BITS), key=lambda way: len(blocks[way]))
        body = blocks[how] + _block(_shifts((predicted - labels) % k, self._order, k))
        mean, scale, step = 0.0, 0.0, 0
        if losses is not None:
            known = _checked_losses(losses, len(labels))
            mean = float(known.mean()) if len(labels) else 0.0
            scale = mean / 4 if mean > 0 else 1.0
            budget = max(_BUDGET_BYTES, _BUDGET_PER_SAMPLE * len(labels))
            for step in _STEPS:
                codes = np.minimum(np.round(np.log1p(known / scale) * (100 / step)), 255)
                block = _block(codes.astype(np.uint8)[self._order].tobytes())
                if _HEADER.size + len(body) + len(block) <= budget:
                    break
            body += block
        n, n_errors, own_crc = len(labels), int(wrong.sum()), _crc(predicted)
        header = _HEADER.pack(
            _MAGIC, how, step, k % _MOST_CLASSES, n, n_errors, self._crc, own_crc, 0, mean, scale
        )
        payload = header + body
        return payload[:_SUM] + struct.pack("<I", _sum(payload)) + payload[_SUM + 4 :]

    def unpack(self, payload: bytes, *, losses: bool = True) -> Outcomes:
        """Return what ``pack`` was given.

        Args:
            payload: Bytes of any origin.
            losses: Whether losses are wanted, where there are any.

        Raises:
            ModelError: If the payload is damaged, of another version, or of other labels.
        """
        labels, k = self.labels, self.n_classes
        how, step, n_errors, of_classes, mean, scale = self._header(payload)
        positions, body = _unblock_positions(payload, how, len(labels), n_errors)
        size = -(-n_errors // 2) if k <= 16 else n_errors * (1 if k <= 256 else 2)
        shifts, body = _unblock(body, size, size)
        wrong = _positions(positions, how, len(labels), n_errors)
        where = self._order[wrong[self._order]]
        predicted = labels.copy()
        predicted[where] = (predicted[where] + _read_shifts(shifts, n_errors, k)) % k
        if _crc(predicted) != of_classes:
            raise ModelError("outcomes are damaged: the checksum of the classes does not agree")
        if not step or not losses:
            return Outcomes(predicted, mean_loss=mean if step else None)
        if not (np.isfinite(mean) and np.isfinite(scale) and mean >= 0 and scale > 0):
            raise ModelError("outcomes are damaged: the mean loss is not a number >= 0")
        packed, _ = _unblock(body, len(labels), len(labels))
        codes = np.empty(len(labels))
        codes[self._order] = np.frombuffer(packed, np.uint8)
        rounded = np.expm1(codes * (step / 100)) * scale
        total = float(rounded.mean()) if len(labels) else 0.0
        rounded *= mean / total if total > 0 else 1.0
        return Outcomes(predicted, np.minimum(rounded, _LARGEST_LOSS).astype(np.float16), mean)

    def _header(self, payload: bytes) -> tuple[int, int, int, int, float, float]:
        """Return what the header says, if it is of these labels and the bytes are whole."""
        _, how, step, k, n_samples, n_errors, *rest = _read_header(payload)
        of_labels, of_classes, _, mean, scale = rest
        if (n_samples, k) != (len(self.labels), self.n_classes % _MOST_CLASSES):
            raise ModelError(
                f"outcomes must be of {len(self.labels)} samples in {self.n_classes} classes, "
                f"got {n_samples} samples in {k} classes"
            )
        if of_labels != self._crc:
            raise ModelError("outcomes must be of these labels, got those of other samples")
        return how, step, n_errors, of_classes, mean, scale


def _read_header(payload: bytes) -> tuple[Any, ...]:
    """Return the fields of the header, if the bytes are whole."""
    if len(payload) < _HEADER.size or payload[:3] != _MAGIC[:3]:
        raise ModelError("outcomes must begin with their header, got other bytes")
    fields = _HEADER.unpack_from(payload)
    magic, how, _, _, n_samples, n_errors, _, _, of_payload, *_ = fields
    if magic != _MAGIC:
        raise ModelError(f"outcomes must be of format {_MAGIC!r}, got {magic!r}")
    if _sum(payload) != of_payload:
        raise ModelError("outcomes are damaged: the checksum of their bytes does not agree")
    if n_errors > n_samples or n_samples >= _MOST_SAMPLES or how > _BITS:
        raise ModelError("outcomes are damaged: their header contradicts itself")
    return fields


def _unblock_positions(
    payload: bytes, how: int, n_samples: int, n_errors: int
) -> tuple[bytes, bytes]:
    # A gap takes one to five bytes.
    low, high = (n_errors, 5 * n_errors) if how == _GAPS else (-(-n_samples // 8),) * 2
    return _unblock(payload[_HEADER.size :], low, high)


# ---------------------------------------------------------------------------------------- checks


def _checked(array: Labels, shape: tuple[int, ...], n_classes: int, name: str) -> Labels:
    array = np.asarray(array)
    if array.ndim != 1 or array.shape != shape:
        raise ModelError(f"{name} must be {shape}, one for each sample, got {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise ModelError(f"{name} must be integers, got {array.dtype}")
    if len(array) and not (array.min() >= 0 and array.max() < n_classes):
        raise ModelError(f"{name} must be in 0 … {n_classes - 1}")
    return array.astype(np.int64)


def _checked_losses(losses: npt.NDArray[np.floating], n_samples: int) -> npt.NDArray[np.float64]:
    known = np.asarray(losses, np.float64)
    if known.shape != (n_samples,):
        raise ModelError(f"losses must be ({n_samples},), got {known.shape}")
    if not (np.isfinite(known).all() and (known >= 0).all()):
        raise ModelError("losses must be finite and >= 0")
    return known


def _sum(payload: bytes) -> int:
    """Return the checksum of all bytes but its own four."""
    return zlib.crc32(payload[_SUM + 4 :], zlib.crc32(payload[:_SUM]))


def _crc(classes: Labels) -> int:
    return zlib.crc32(np.asarray(classes).astype("<u2").tobytes())


# ------------------------------------------------------------------------------------- positions


def _gaps(wrong: npt.NDArray[np.bool_]) -> bytes:
    """Return the number of correct samples before each error, as LEB128."""
    gaps = np.diff(np.flatnonzero(wrong), prepend=-1) - 1
    if not len(gaps) or gaps.max() < 128:
        return gaps.astype(np.uint8).tobytes()
    written = bytearray()
    for gap in gaps.tolist():
        rest = gap
        while rest >= 128:
            written.append(128 | (rest & 127))
            rest >>= 7
        written.append(rest)
    return bytes(written)


def _positions(packed: bytes, how: int, n_samples: int, n_errors: int) -> npt.NDArray[np.bool_]:
    """Return which samples were wrong.

    Raises:
        ModelError: If there are not as many as there should be.
    """
    wrong = np.zeros(n_samples, np.bool_)
    if how == _BITS:
        wrong[:] = np.unpackbits(np.frombuffer(packed, np.uint8), count=n_samples)
    else:
        data = np.frombuffer(packed, np.uint8).astype(np.int64)
        ends = data < 128
        if len(data) and not ends[-1]:
            raise ModelError("outcomes are damaged: the last gap does not end")
        # Every byte counts 7 bits more than the one before it, from the start of its gap.
        starts = np.flatnonzero(np.concatenate(([True], ends[:-1]))) if len(data) else data
        place = np.arange(len(data)) - np.repeat(starts, np.diff(np.append(starts, len(data))))
        if len(data) and place.max() > 4:
            raise ModelError("outcomes are damaged: a gap is too long")
        values = (data & 127) << (7 * place)
        gaps = np.add.reduceat(values, starts) if len(data) else data
        found = np.cumsum(gaps + 1) - 1
        if len(found) and found[-1] >= n_samples:
            raise ModelError("outcomes are damaged: an error lies beyond the last sample")
        wrong[found] = True
    if int(wrong.sum()) != n_errors:
        raise ModelError(f"outcomes are damaged: {n_errors} errors expected, got {wrong.sum()}")
    return wrong


# --------------------------------------------------------------------------------------- classes


def _shifts(shifts: Labels, order: npt.NDArray[np.intp], n_classes: int) -> bytes:
    """Return how far the class of each error is from its label, ordered by label."""
    shifts = shifts[order]
    shifts = shifts[shifts > 0]
    if n_classes <= 16:
        pairs = np.append(shifts, 0)[: len(shifts) + len(shifts) % 2].astype(np.uint8)
        return ((pairs[::2] << 4) | pairs[1::2]).tobytes()
    return shifts.astype(np.uint8 if n_classes <= 256 else "<u2").tobytes()


def _read_shifts(packed: bytes, n_errors: int, n_classes: int) -> Labels:
    if n_classes <= 16:
        pairs = np.frombuffer(packed, np.uint8)
        return np.stack((pairs >> 4, pairs & 15), axis=1).ravel()[:n_errors].astype(np.int64)
    return np.frombuffer(packed, np.uint8 if n_classes <= 256 else "<u2").astype(np.int64)


# ---------------------------------------------------------------------------------------- blocks


def _block(data: bytes) -> bytes:
    """Return bytes packed by the codec that makes them shortest."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = [data, deflate.compress(data) + deflate.flush()]
    if len(data) > 64:
        packed.append(lzma.compress(data, format=lzma.FORMAT_RAW, filters=_FILTERS))
    codec, shortest = min(enumerate(packed), key=lambda item: len(item[1]))
    return _BLOCK.pack(codec, len(shortest), len(data)) + shortest


def _unblock(body: bytes, low: int, high: int) -> tuple[bytes, bytes]:
    """Return the content of the first block, and what follows the block.

    Args:
        body: One block or more.
        low: The fewest bytes that the content may have.
        high: The most.

    Raises:
        ModelError: If the block is cut short, or its content has another length than it says.
    """
    if len(body) < _BLOCK.size:
        raise ModelError("outcomes are damaged: they are cut short")
    codec, n_packed, n_bytes = _BLOCK.unpack_from(body)
    end = _BLOCK.size + n_packed
    if len(body) < end or not low <= n_bytes <= high:
        raise ModelError(f"outcomes are damaged: a block of {n_bytes} bytes does not fit them")
    packed = body[_BLOCK.size : end]
    try:
        if codec == _DEFLATE:
            # One byte more than there may be shows that there is more.
            data = zlib.decompressobj(-15).decompress(packed, n_bytes + 1)
        elif codec == _LZMA:
            reader = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
            data = reader.decompress(packed, n_bytes + 1)
        else:
            data = packed
    except (zlib.error, lzma.LZMAError) as error:
        raise ModelError(f"outcomes are damaged: {error}") from error
    if codec > _LZMA or len(data) != n_bytes:
        raise ModelError(f"outcomes are damaged: a block must have {n_bytes} bytes")
    return data, body[end:]
