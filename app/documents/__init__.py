"""Documents that families bring: encrypted files beside the database, and what is recorded of them in it."""
