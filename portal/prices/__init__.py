"""The price table: rows, import and export, history; customers see what they pay."""
