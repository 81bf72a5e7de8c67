import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.models import outcomes
from coarsefine.models.errors import ModelError
from coarsefine.models.outcomes import OutcomeCodec


def made_up(n_samples, n_classes, error, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    wrong = rng.random(n_samples) < error
    shifts = rng.integers(1, n_classes, n_samples)
    return labels, np.where(wrong, (labels + shifts) % n_classes, labels)


@given(
    n_samples=st.integers(0, 700),
    n_classes=st.sampled_from([2, 3, 10, 16, 17, 256, 257, 65_536]),
    error=st.sampled_from([0.0, 0.002, 0.03, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
def test_predicted_classes_come_back_exactly(n_samples, n_classes, error, seed):
    labels, predicted = made_up(n_samples, n_classes, error, seed)
    codec = OutcomeCodec(labels, n_classes)

    read = codec.unpack(codec.pack(predicted))

    assert read.predicted.tolist() == predicted.tolist()
    assert read.losses is None


def test_errors_far_apart_come_back_exactly():
    labels = np.zeros(300_000, np.int64)
    predicted = labels.copy()
    predicted[[0, 127, 128, 20_000, 299_999]] = [1, 2, 3, 4, 5]
    codec = OutcomeCodec(labels, 10)
    payload = codec.pack(predicted)

    assert len(payload) < 120
    assert (codec.unpack(payload).predicted == predicted).all()


@given(seed=st.integers(0, 1000), spread=st.floats(0.1, 3), size=st.floats(1e-4, 1))
def test_losses_come_back_within_half_a_step_and_keep_their_mean(seed, spread, size):
    labels, predicted = made_up(1000, 10, 0.1, seed)
    losses = np.random.default_rng(seed).lognormal(np.log(size), spread, 1000)
    losses = np.minimum(losses, 1_000)  # half precision ends at 65,504
    codec = OutcomeCodec(labels, 10)

    payload = codec.pack(predicted, losses)
    read = codec.unpack(payload)

    step, scale = payload[5] / 100, losses.mean() / 4
    assert read.mean_loss == pytest.approx(losses.mean())
    assert read.losses.astype(float).mean() == pytest.approx(losses.mean(), rel=2e-3)
    # Half a step, the correction of the mean, and half precision.
    bound = (losses + scale) * (np.expm1(step / 2) + np.expm1(step**2)) + 1e-6
    assert (np.abs(read.losses - losses) <= bound).all()
    assert codec.unpack(payload, losses=False).losses is None


def test_outcomes_take_the_bytes_that_are_promised():
    labels, predicted = made_up(360, 10, 0.035)
    rng = np.random.default_rng(1)
    digits = OutcomeCodec(labels, 10)
    assert len(digits.pack(predicted)) <= 150
    assert len(digits.pack(predicted, rng.lognormal(-4, 2.5, 360))) <= 400

    labels, predicted = made_up(10_000, 10, 0.085)
    mnist = OutcomeCodec(labels, 10)
    assert len(mnist.pack(predicted)) <= 2_000
    assert len(mnist.pack(predicted, rng.lognormal(-4, 2.5, 10_000))) <= 6_000


def test_losses_that_are_all_zero_stay_zero():
    labels = np.arange(10)
    codec = OutcomeCodec(labels, 10)

    read = codec.unpack(codec.pack(labels, np.zeros(10)))

    assert read.losses.tolist() == [0.0] * 10


@pytest.mark.parametrize(
    ("predicted", "losses"),
    [
        ([0, 1], None),
        ([0, 1, 3], None),
        ([0, 1, -1], None),
        ([0.0, 1.0, 2.0], None),
        ([0, 1, 2], [0.1, 0.2]),
        ([0, 1, 2], [0.1, 0.2, np.nan]),
        ([0, 1, 2], [0.1, 0.2, -1.0]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(predicted, losses):
    codec = OutcomeCodec(np.array([0, 1, 2]), 3)

    with pytest.raises(ModelError):
        codec.pack(np.array(predicted), None if losses is None else np.array(losses))


def test_outcomes_of_other_labels_are_refused():
    labels, predicted = made_up(100, 10, 0.1)
    payload = OutcomeCodec(labels, 10).pack(predicted)
    others = labels.copy()
    others[7] = (others[7] + 1) % 10

    for codec in (
        OutcomeCodec(others, 10),
        OutcomeCodec(labels, 11),
        OutcomeCodec(labels[:99], 10),
    ):
        with pytest.raises(ModelError, match="must be of"):
            codec.unpack(payload)


@pytest.mark.parametrize("losses", [False, True])
def test_every_changed_byte_is_noticed(losses):
    labels, predicted = made_up(200, 10, 0.2)
    codec = OutcomeCodec(labels, 10)
    payload = codec.pack(predicted, np.linspace(0, 2, 200) if losses else None)

    for position in range(len(payload)):
        damaged = bytearray(payload)
        damaged[position] ^= 0x55
        with pytest.raises(ModelError):
            codec.unpack(bytes(damaged))
    for length in range(len(payload)):
        with pytest.raises(ModelError):
            codec.unpack(payload[:length])


def sealed(header, body):
    """Return a payload whose checksum is right."""
    start, end = struct.pack("<4sBBHIIII", *header[:8]), struct.pack("<dd", 1.0, 1.0) + body
    return start + struct.pack("<I", zlib.crc32(end, zlib.crc32(start))) + end


@pytest.mark.parametrize("codec_number", [0, 1, 2, 3])
def test_a_block_that_says_another_length_is_refused_before_it_is_unpacked(codec_number):
    labels = np.zeros(64, np.int64)
    codec = OutcomeCodec(labels, 10)
    header = struct.unpack_from("<4sBBHIIIII", codec.pack(labels))
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = bomb.compress(bytes(5_000_000)) + bomb.flush()

    for n_bytes in (0, 8, 5_000_000, 2**32 - 1):
        body = struct.pack("<BII", codec_number, len(packed), n_bytes) + packed
        for how in (0, 1):
            with pytest.raises(ModelError, match="damaged"):
                codec.unpack(sealed((header[0], how, *header[2:]), body))


@given(body=st.binary(max_size=80), how=st.integers(0, 255), errors=st.integers(0, 80))
def test_hostile_bytes_with_a_right_checksum_raise_a_model_error(body, how, errors):
    labels = np.zeros(64, np.int64)
    codec = OutcomeCodec(labels, 10)
    header = struct.unpack_from("<4sBBHIIIII", codec.pack(labels))
    payload = sealed((header[0], how, *header[2:5], errors, *header[6:]), body)

    with pytest.raises(ModelError):
        codec.unpack(payload)


@given(data=st.binary(min_size=1, max_size=30), errors=st.integers(0, 30))
def test_hostile_gaps_raise_a_model_error_or_are_those_that_are_meant(data, errors):
    try:
        wrong = outcomes._positions(data, 0, 64, errors)
    except ModelError:
        return
    assert wrong.sum() == errors


def test_labels_that_cannot_be_are_refused():
    for labels, n_classes in (([0, 1], 1), ([0, 5], 5), ([[0], [1]], 2), ([0.5, 1.0], 2)):
        with pytest.raises(ModelError):
            OutcomeCodec(np.array(labels), n_classes)
