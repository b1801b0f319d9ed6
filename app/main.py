"""create_app(): the only place where parts are wired together."""
