"""The routing table: rows, import and export, history, and which way a message would go."""
