"""Reports: figures of the traffic as charts, tables and files; saved and mailed."""
