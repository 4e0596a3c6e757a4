"""Owns `rulebound eval …`: its names, arguments, exit statuses. It must not know what they do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from rulebound.cli.options import finish

eval_app = typer.Typer(
    help="Prove what an agent, a model, a router or a commit does.", no_args_is_help=True, rich_markup_mode=None
)
SuiteOption = Annotated[
    Optional[list[str]],
    typer.Option(
        "--suite", metavar="NAME", help="As `eval list` names it; a world, a folder or a .jsonl file. Again for more."
    ),
]
PathsArgument = Annotated[
    Optional[list[str]], typer.Argument(metavar="SUITE|PATH", help="The same without the option.")
]
ModelOption = Annotated[
    Optional[list[str]],
    typer.Option(
        "--model",
        metavar="NAME|none",
        help="Of models.toml; knowing or liar, which ship; again for more. [default: none]",
    ),
]
SolverOption = Annotated[
    Optional[list[str]],
    typer.Option("--solver", metavar="NAME", help="Who plays; again for more. [default: the suite's]"),
]
EpochsOption = Annotated[int, typer.Option("--epochs", min=1, help="How often each case is played.")]
OutOption = Annotated[
    Optional[Path], typer.Option("--out", metavar="DIR", help="Where the results go. [default: eval-results/SUITE]")
]
SeedOption = Annotated[int, typer.Option(help="Of everything that is chance.")]
AtOnceOption = Annotated[int, typer.Option("--at-once", min=1, help="Cases that are played at once.")]
WordOption = Annotated[str, typer.Option("-k", metavar="WORD", help="Only cases whose id or tags hold the word.")]
SampleOption = Annotated[Optional[int], typer.Option(min=1, metavar="N", help="Only so many cases, spread over all.")]
RevOption = Annotated[
    Optional[str], typer.Option("--at", metavar="REV", help="Of the knowledge base: a branch, tag or commit.")
]
CallsOption = Annotated[
    Optional[int], typer.Option("--max-calls", min=1, help="Calls to models, at most; then it stops.")
]
CostOption = Annotated[Optional[float], typer.Option("--max-cost", min=0, help="US dollars, at most; then it stops.")]
JudgeOption = Annotated[
    Optional[str],
    typer.Option(
        "--judge", metavar="NAME", help="The model that is asked what nothing else can tell. [default: nobody]"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="What `eval run` left.")]


@eval_app.command()
def run(
    paths: PathsArgument = None,
    suite: SuiteOption = None,
    model: ModelOption = None,
    solver: SolverOption = None,
    epochs: EpochsOption = 1,
    out: OutOption = None,
    seed: SeedOption = 0,
    at_once: AtOnceOption = 8,
    word: WordOption = "",
    sample: SampleOption = None,
    at: RevOption = None,
    tape: Annotated[
        Optional[Path], typer.Option(metavar="FILE", help="Models answer from this tape alone; nothing is called.")
    ] = None,
    max_calls: CallsOption = None,
    max_cost: CostOption = None,
    judge: JudgeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play cases and score them. Exit 0: it ran, whatever was solved; 2: it could not. A run that was cut off goes on."""
    from rulebound.commands.evals import Wanted
    from rulebound.commands.evals import run as start

    names = [*(suite or []), *(paths or [])]
    wanted = Wanted(names, model, solver, epochs, out, seed, at_once, word, sample, at, max_calls, max_cost, judge)
    finish(start(wanted, tape=tape, as_json=as_json))


@eval_app.command()
def record(
    paths: PathsArgument = None,
    suite: SuiteOption = None,
    model: ModelOption = None,
    solver: SolverOption = None,
    epochs: EpochsOption = 1,
    out: OutOption = None,
    seed: SeedOption = 0,
    at_once: AtOnceOption = 8,
    word: WordOption = "",
    sample: SampleOption = None,
    at: RevOption = None,
    max_calls: CallsOption = None,
    max_cost: CostOption = None,
    judge: JudgeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The same as `eval run`, and every model call is kept in DIR/tape.jsonl, for `eval run --tape`."""
    from rulebound.commands.evals import Wanted
    from rulebound.commands.evals import run as start

    names = [*(suite or []), *(paths or [])]
    wanted = Wanted(names, model, solver, epochs, out, seed, at_once, word, sample, at, max_calls, max_cost, judge)
    finish(start(wanted, record=True, as_json=as_json))


@eval_app.command(name="list")
def list_(
    suite: Annotated[Optional[str], typer.Argument(metavar="SUITE|PATH", help="Its cases.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List suites and solvers, or the cases of a suite."""
    from rulebound.commands.evals import listed

    finish(listed(suite, as_json=as_json))


@eval_app.command()
def compare(
    before: FolderArgument,
    after: Annotated[
        Optional[Path],
        typer.Argument(
            metavar="DIR", help="Another; without it the first contender of the run is compared with each other."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two runs case by case, or two contenders of one. Exit 0: also where they differ."""
    from rulebound.commands.evals import compared

    finish(compared(before, after, as_json=as_json))


@eval_app.command()
def report(
    folder: FolderArgument,
    against: Annotated[
        Optional[Path], typer.Option(metavar="DIR", help="Another run: the page shows what differs.")
    ] = None,
    junit: Annotated[Optional[Path], typer.Option(metavar="FILE", help="Also write JUnit XML.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a run again, and write its page."""
    from rulebound.commands.evals import reported

    finish(reported(folder, against, junit, as_json=as_json))


@eval_app.command()
def gate(
    folder: FolderArgument,
    baseline: Annotated[Path, typer.Option(metavar="FILE", help="What is solved on the main branch.")] = Path(
        "evals/baseline.json"
    ),
    write: Annotated[bool, typer.Option("--write", help="Take this run as the baseline.")] = False,
) -> None:
    """Hold a run against a baseline. Exit 1: it is significantly worse, and these are the cases."""
    from rulebound.commands.evals import gated

    finish(gated(folder, baseline, write=write))


@eval_app.command()
def generate(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="worlds, policies, paraphrases or mutations.")],
    count: Annotated[int, typer.Argument(metavar="N", min=1, help="How many cases.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder: a knowledge base with cases.")],
    seed: SeedOption = 0,
    size: Annotated[int, typer.Option(min=0, help="Of each world or policy; 0: as is usual.")] = 0,
) -> None:
    """Make cases whose answers are known: run them by `eval run DIR`."""
    from rulebound.commands.evals import generated

    finish(generated(kind, count, seed, out, size))


@eval_app.command(name="import")
def import_(
    form: Annotated[str, typer.Argument(metavar="FORM", help="jsonl, csv, database or transcript.")],
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="A new folder: cases, and a knowledge base where there was none.")
    ],
    world: Annotated[
        str, typer.Option(metavar="WORLD|PATH", help="What they are played in, where the file does not say.")
    ] = "",
    name: Annotated[
        Optional[list[str]], typer.Option(metavar="OURS=THEIRS", help="What the file calls a field; again for more.")
    ] = None,
) -> None:
    """Take in cases of another form. Exit 1: something was left out, and this is what and why."""
    from rulebound.commands.evals import imported

    finish(imported(form, file, out, world, name or []))
