"""One's own page: password, second factor, where one is logged in."""
