"""What those see who check what others did."""
