"""Command lines, sensible and not, made of what the commands say that they take."""

import re

from hypothesis import strategies as st

from tests.commands_built import all_commands

# What people type, mean, paste by mistake, or try.
ANYTHING = (
    *("", " ", "-", "--", "0", "1", "2", "3", "7", "-1", "+1", "1.5", "1e3", "0x10", "1_000", "٣"),
    *("0.5", "1e-5", "0.1", "1", "-0.1", "nan", "inf", "-inf", "1e400", "9" * 30, "1e-320"),
    *("1e-5,1e-3", "1,1", "0,1", ",", "1,,2", "nan,1", "1e-5,1e-5;1", "16,32", "1;2", "1e-3,x"),
    *("none", "true", "[]", "null", "None", "λ", "Ω" * 300, "=1+1", "a b", "a/b", "a/b/c", "../x"),
    *("digits", "tiny.npz", "missing.npz", "tiny.csv", "broken.npz", "search.db", ".", "/"),
    *(
        "digits/lambda",
        "digits/lambda/coarse",
        "out.csv",
        "out.xlsx",
        "out.md",
        "out",
        "no/out.csv",
    ),
    *("recipe.toml", "broken.toml", "coarse:0", "coarse:99", "fine:1", "coarse", "fine", "final"),
    *("other.db", "no/other.db", "sqlite://", "sqlite:///other.db", "postgresql://u:p@h/d", "x://"),
)

# Nearly as it should be, so that what lies behind the reading of options is reached, too.
QUICK = ("--epochs", "1", "--hidden", "2", "--trials", "2")


def commands():
    """Yield each command's words and parameters."""
    for name, command in all_commands().items():
        for inner, sub in getattr(command, "commands", {None: command}).items():
            yield ((name, inner) if inner else (name,)), sub.params


COMMANDS = dict(commands())


def _values(parameter):
    """Return what may stand behind an option: words of its help among anything else."""
    words = re.findall(r"[a-z][a-z0-9-]{2,}", parameter.help or "")
    return st.sampled_from((*words, *ANYTHING)) if words else st.sampled_from(ANYTHING)


@st.composite
def lines(draw):
    """Return a command line as a list of words."""
    words = draw(st.sampled_from(list(COMMANDS)))
    parameters = COMMANDS[words]
    options = [p for p in parameters if p.param_type_name == "option" and p.name != "help"]
    arguments = [p for p in parameters if p.param_type_name == "argument"]
    line = [*words]
    if "--epochs" in {name for p in options for name in p.opts} and draw(st.integers(0, 3)):
        stage = draw(st.sampled_from(("--coarse", "--coarse", "--fine", "--finer", "--auto")))
        line += [stage] if any("--coarse" in p.opts for p in options) else []
        line += [word for word in QUICK if "--trials" in _names(options) or word not in QUICK[4:]]
    for parameter in arguments:
        line += draw(st.lists(st.sampled_from(ANYTHING), max_size=2 if parameter.nargs < 0 else 1))
    for parameter in draw(st.lists(st.sampled_from(options), max_size=4)) if options else ():
        name = draw(st.sampled_from((*parameter.opts, *parameter.secondary_opts)))
        line.append(name)
        if not parameter.is_flag and draw(st.integers(0, 19)):
            line.append(draw(_values(parameter)))
    if not draw(st.integers(0, 9)):
        line.insert(draw(st.integers(0, len(line))), draw(st.sampled_from(ANYTHING)))
    return line


def _names(options):
    return {name for p in options for name in p.opts}
