"""A trained model in Python: from a study or a file, to predict with."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from coarsefine.paths import expanded
from coarsefine.search.files import write
from coarsefine.search.library.facts import named
from coarsefine.search.library.hints import as_study_errors
from coarsefine.search.library.kept import Kept
from coarsefine.search.library.place import PathLike
from coarsefine.search.library.watching import watched
from coarsefine.studies.errors import StudyError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from coarsefine.models.data.new_samples import NewSamples
    from coarsefine.models.saved import SavedModel
    from coarsefine.studies.results.ranking import RankedTrial


class Model:
    """What `save` writes: networks with all that it takes to predict.

    ``Study.model()`` returns one, ``Model.load("model.npz")`` reads one back.
    """

    def __init__(self, saved: "SavedModel") -> None:
        self._saved = saved

    @classmethod
    def load(cls, file: PathLike) -> Self:
        """Return the model in a file.

        Raises:
            StudyError: If it is no saved model.
        """
        from coarsefine.models.saved import model_from_bytes

        path = expanded(file)
        with as_study_errors():
            try:
                payload = path.read_bytes()
            except OSError as error:
                raise StudyError(f"{path}: cannot be read: {error.strerror or error}") from None
            return cls(model_from_bytes(payload, str(path)))

    def save(self, file: PathLike) -> Path:
        """Write the model to an .npz file, and return its path; one that is there is replaced."""
        path = expanded(file)
        with as_study_errors():
            if path.suffix.lower() != ".npz":
                raise StudyError(f"a model is an .npz file, got {path}")
            write(path, self._saved.to_bytes())
        return path

    def predict(self, x: Any) -> "npt.NDArray[Any]":
        """Return the class of each sample, (N,): as whole numbers where all classes are, or words.

        Args:
            x: Samples as before any normalisation: an array (N, D), a data frame with the columns
                of the training file, or the path of a file that ``predict`` reads. What the command
                would note of them, such as another scale, is a warning.

        Raises:
            StudyError: If they are not such samples as the model was trained on.
        """
        import numpy as np

        with as_study_errors():
            classes, _ = self._saved.predicted(self._samples(x))
        return np.array(self.classes)[classes]

    def probabilities(self, x: Any) -> "npt.NDArray[np.float64]":
        """Return the output for each class, (N, K), in the order of ``classes``.

        Of networks trained with squared error they are outputs that stand for probabilities, of
        those trained with the hinge loss scores.

        Args:
            x: As for ``predict``.

        Raises:
            StudyError: Likewise.
        """
        with as_study_errors():
            return self._saved.predicted(self._samples(x))[1]

    @property
    def classes(self) -> list[Any]:
        """Return the classes: whole numbers where all names are, else words."""
        names = self._saved.class_names
        numbers = all(name.removeprefix("-").isdecimal() and len(name) < 19 for name in names)
        # Names such as 01 are words: two of them may be one number.
        if numbers and not any(str(int(name)) != name for name in names):
            return [int(name) for name in names]
        return list(names)

    @property
    def about(self) -> dict[str, Any]:
        """Return where it comes from: study, trials, recipe, fingerprints, test-set accesses."""
        return dict(self._saved.about)

    @property
    def saved(self) -> "SavedModel":
        """Return the model as the rest of the program has it."""
        return self._saved

    @property
    def program(self) -> str:
        """Return a program in plain NumPy that predicts with ``model.npz``."""
        from coarsefine.models.plain_numpy import lines_of

        return "\n".join(lines_of(self._saved, "model.npz")) + "\n"

    def __repr__(self) -> str:
        widths = Counter(network.spec.widths for network in self._saved.networks)
        listed = ", ".join(
            "-".join(map(str, each)) + (f" ×{n}" if n > 1 else "") for each, n in widths.items()
        )
        return f"{type(self).__name__}({listed})"

    def _samples(self, x: Any) -> "NewSamples":
        import os
        import warnings

        from coarsefine.models.data.new_samples import from_array, from_frame, read_samples

        layout, encoder = self._saved.layout, self._saved.transform.encoder
        if isinstance(x, str | os.PathLike):
            samples = read_samples(expanded(x), layout, encoder)
        elif hasattr(x, "columns") and hasattr(x, "iloc"):
            samples = from_frame(x, layout, encoder)
        else:
            samples = from_array(x, layout, encoder)
        for line in samples.notes:
            warnings.warn(line, stacklevel=3)
        return samples


class Models:
    """A study whose trained networks can be taken along."""

    _kept: Kept

    def model(
        self,
        trial: "RankedTrial | str | None" = None,
        *,
        ensemble: bool = False,
        refit: Literal["train+validation", "none"] | None = None,
    ) -> Model:
        """Return the model that ``test`` measures, trained if it is not yet; no test set is opened.

        Args:
            trial: As ``"fine:6"`` or from a ranking; ``None`` for the best.
            ensemble: Whether all trials that are tied with the best answer as one, by the mean of
                their probabilities.
            refit: ``train+validation`` trains once more on both parts, ``none`` takes the weights
                of the search; ``None`` as the recipe says.

        Raises:
            StudyError: If the search is not finished, or the trial not complete.
        """
        from coarsefine.studies.running.saving import model_of

        with as_study_errors():
            if ensemble and trial is not None:
                raise StudyError("name one trial, or ensemble=True for the tied ones; got both")
            pick = None if trial is None else named(trial)
            with (
                watched(progress=self._kept.place.progress) as watch,
                self._kept.training(watch) as (resources, study),
            ):
                return Model(model_of(resources, study, pick=pick, ensemble=ensemble, refit=refit))
