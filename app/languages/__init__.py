"""What families are told, in their language: catalogues of sentences, and how each locale writes."""
