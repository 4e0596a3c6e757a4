"""Alembic's environment: runs the migrations on the connection that `storage.postgres.migrate` hands over."""

from alembic import context

from storage.postgres.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
