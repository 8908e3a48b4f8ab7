"""Who may log in: invited, changed, locked; and who changed what."""
