"""How the traffic goes now, and in the last hours."""
