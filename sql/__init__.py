"""The schema of the database: its migrations, and the whole of it as SQL for each kind of database."""
