"""Users, roles, scopes, sign-in and tokens."""
