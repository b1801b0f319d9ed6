"""What families may ask of those who hold their data, and how long it is held."""
