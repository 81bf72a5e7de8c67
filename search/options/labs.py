"""Options of whole labs: how much of one, and what its studies are called."""

from typing import Annotated

from coarsefine.search.options import SEARCH, option
from coarsefine.search.options.declaring import text_option

Quick = Annotated[
    bool,
    option(
        SEARCH,
        "--quick",
        help="A first look: less data and fewer epochs, as the file says, in studies of their own "
        "(default: the whole lab).",
    ),
]
Parts = Annotated[
    list[str] | None,
    option(
        SEARCH,
        "--part",
        metavar="NAME",
        help="Only this part; may be given several times (default: all parts).",
    ),
]
LabName = Annotated[
    str | None,
    text_option(
        SEARCH,
        "--study",
        "NAME",
        "What the names of its studies begin with (default: the file's name).",
    ),
]
Fresh = Annotated[
    bool,
    option(
        SEARCH,
        "--fresh",
        help="Train again what was trained before in the file of studies (default: take it over).",
    ),
]


Within = Annotated[
    str | None,
    text_option(
        SEARCH,
        "--within",
        "TIME",
        "How long all of it may take, as in 20m or 1h30m: each search gets its share, and goes on "
        "with the same command later (default: as long as it takes).",
    ),
]
