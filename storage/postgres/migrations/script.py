"""Owns running a migration's SQL, statement by statement. It must not know what it says."""

from alembic import op

END = ";\n"


def run(script: str) -> None:
    """Runs statements that end with a semicolon at the end of a line."""
    for statement in script.strip().removesuffix(";").split(END):
        op.get_bind().exec_driver_sql(statement.strip())
