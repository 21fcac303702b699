"""A run as a folder: files that a kill leaves whole, records, the lock, where figures come from."""
