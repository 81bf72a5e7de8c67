"""Alembic's environment: our tables only, on the connection that the caller has open."""

from alembic import context

from coarsefine.db.migrations.env_filter import include_object
from coarsefine.db.schema import VERSION_TABLE
from coarsefine.db.tables import Study

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Study.metadata,
    version_table=VERSION_TABLE,
    include_object=include_object,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
