"""What migrations put into every programme, kept aside and put back after a test that commits.

Django would truncate every table and make its permissions anew, which takes longer than the test.
"""

from django.db import connection, transaction

KEPT = "first_rows"  # A schema that nobody's search path leads to.
NEVER_TOUCHED = "django_migrations"


def keep() -> None:
    """Copy the rows there are; to be called once, on a database that was just migrated."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {KEPT} CASCADE; CREATE SCHEMA {KEPT}")
        for table in _tables():
            cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}")')
            if cursor.fetchone() == (True,):
                cursor.execute(f'CREATE TABLE {KEPT}."{table}" AS TABLE "{table}"')


def put_back() -> None:
    """Have every table as it was when its rows were kept."""
    tables = _tables()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() == (True,):
            # No trigger fires and no key is looked up: empty tables cost next to nothing.
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(";".join(f'DELETE FROM "{table}"' for table in tables))
        else:
            cursor.execute("TRUNCATE " + ",".join(f'"{table}"' for table in tables))
        cursor.execute(
            "SELECT table_name, string_agg(quote_ident(column_name), ',')"
            " FROM information_schema.columns of"
            " WHERE table_schema = 'public' AND is_generated = 'NEVER' AND EXISTS"
            " (SELECT FROM pg_tables WHERE schemaname = %s AND tablename = of.table_name)"
            " GROUP BY table_name",
            [KEPT],
        )
        for table, columns in cursor.fetchall():
            cursor.execute(
                f'INSERT INTO "{table}" ({columns}) SELECT {columns} FROM {KEPT}."{table}"'
            )


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        return sorted(set(connection.introspection.table_names(cursor)) - {NEVER_TOUCHED})
