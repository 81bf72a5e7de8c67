"""Map the folders at the top of the repository to the one name that is imported.

``search/`` is installed as ``coarsefine.search``, and so on for ``studies/``, ``models/`` and
``db/``. The package ``search`` of the wheel holds only the launcher for ``python -m search``.
"""

from setuptools import find_packages, setup

FLOORS = ("search", "studies", "models", "db")

if __name__ == "__main__":
    setup(
        packages=[
            "coarsefine",
            "search",
            *(
                f"coarsefine.{package}"
                for floor in FLOORS
                for package in (floor, *(f"{floor}.{inner}" for inner in find_packages(floor)))
            ),
        ],
        package_dir={
            "coarsefine": "coarsefine",
            "search": "coarsefine/launcher",
            **{f"coarsefine.{floor}": floor for floor in FLOORS},
        },
    )
