"""Other people's code in the path of a message: the hooks there are, how plugins are loaded, and how they are called.

Every call has a deadline; a plugin that fails or dawdles costs its own connector a message's delay and nobody else anything.
"""
