"""What runs by the clock: the scheduler's table of jobs, and each job. It alone aggregates and purges."""
