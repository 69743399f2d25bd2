"""`retint study report`: what people answered."""

import json
from pathlib import Path

import click

from retint.errors import OutputError

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(name="report")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "json_file", type=_FILE, help="Write everything that was found.")
@click.option("--markdown", type=_FILE, help="Write the report.")
@click.option("--csv", "csv_file", type=_FILE, help="Write every answer, without names.")
def command(
    study: Path, json_file: Path | None, markdown: Path | None, csv_file: Path | None
) -> None:
    """Say what a study found: rates and preferences with intervals; also while it goes on."""
    from retint.study.answers import Answers
    from retint.study.counted import write_csv
    from retint.study.design import ANSWERS, Study
    from retint.study.figures import found
    from retint.study.report import markdown as in_words

    opened = Study.load(study)
    with Answers(study / ANSWERS, readonly=True) as answers:
        asked, rules = answers.asked(), answers.fact("rules")
    figures = found(opened, asked, rules)
    text = in_words(figures)
    click.echo(text)
    if json_file:
        _write(json_file, json.dumps(figures, indent=1, allow_nan=False) + "\n")
    if markdown:
        _write(markdown, text + "\n")
    if csv_file:
        _write(csv_file, write_csv(opened, asked))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
