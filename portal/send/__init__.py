"""Sending messages from the portal: to one number, to many, to the rows of a file; looked at before they go, and followed while they do.

What is typed becomes a batch of the database in the state of a draft (`emg.db.batches`), which its page shows with count, price and faulty lines; confirming it hands it to the
scheduler. So what goes out is what was looked at, and a form that is sent twice confirms once.
"""
