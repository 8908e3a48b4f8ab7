"""The database: models, connection, and the queries, one module a table.

Nobody else writes SQL, but for the spool, the scheduled jobs and the migrations. A gateway runs with the database down.
"""
