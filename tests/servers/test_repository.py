"""What holds for a file holds on servers: the same tests once more."""

import inspect

import tests.db.test_repository as on_files

# Those that look into the file itself take its path.
globals().update(
    {
        name: test
        for name, test in vars(on_files).items()
        if name.startswith("test_")
        and {"db", "planned"} & set(inspect.signature(test).parameters)
        and "path" not in inspect.signature(test).parameters
    }
)
